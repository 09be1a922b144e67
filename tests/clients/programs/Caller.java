import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import java.util.Map;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.PredictionsApi;
import org.openapitools.client.model.Batch;
import org.openapitools.client.model.Features;
import org.openapitools.client.model.Feedback;
import org.openapitools.client.model.Outcome;
import org.openapitools.client.model.PredictionRequest;
import org.openapitools.client.model.Problem;

/** Call a server with the package that openapi-generator wrote: ADDRESS ROW. */
public class Caller {
  public static void main(String[] words) throws Exception {
    ObjectMapper json = new ApiClient().getObjectMapper();
    ApiClient client = new ApiClient();
    client.updateBaseUri(words[0]);
    PredictionsApi api = new PredictionsApi(client);
    Features features = json.readValue(words[1], Features.class);

    var prediction = api.predict(new PredictionRequest().features(features), null, null, null, null);
    var batch = api.predictBatch(new Batch().instances(List.of(features, features)), null, null, null, null, null);
    var confidences =
        batch.getPredictions().stream().map(item -> item.getPredictedRow().getConfidence()).toList();
    Outcome outcome =
        new Outcome().predictionId(prediction.getPredictionId()).outcome(Outcome.OutcomeEnum.fromValue("Introvert"));
    var stored = api.feedback(new Feedback(outcome));
    String refused = "accepted";
    try {
      api.predict(new PredictionRequest().features(features.timeSpentAlone(99)), null, null, null, null);
    } catch (ApiException error) {
      refused = json.readValue(error.getResponseBody(), Problem.class).getProblems().get(0).getPath();
    }
    System.out.println(
        json.writeValueAsString(
            Map.of(
                "prediction", prediction.getPrediction(),
                "batch", confidences,
                "stored", stored.getStored(),
                "refused", refused)));
  }
}
