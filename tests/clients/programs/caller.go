// Call a server with the package that openapi-generator wrote: ADDRESS ROW.
package main

import (
	"client"
	"context"
	"encoding/json"
	"fmt"
	"os"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	var features client.Features
	must(json.Unmarshal([]byte(os.Args[2]), &features))
	configuration := client.NewConfiguration()
	configuration.Servers = client.ServerConfigurations{{URL: os.Args[1]}}
	api := client.NewAPIClient(configuration).PredictionsAPI
	ctx := context.Background()

	prediction, _, err := api.Predict(ctx).PredictionRequest(*client.NewPredictionRequest(features)).Execute()
	must(err)
	batch, _, err := api.PredictBatch(ctx).Batch(*client.NewBatch([]client.Features{features, features})).Execute()
	must(err)
	confidences := []float32{}
	for _, item := range batch.Predictions {
		confidences = append(confidences, item.PredictedRow.Confidence)
	}
	outcome := client.NewOutcome(prediction.PredictionId, "Introvert")
	stored, _, err := api.Feedback(ctx).Feedback(client.OutcomeAsFeedback(outcome)).Execute()
	must(err)
	features.SetTimeSpentAlone(99)
	_, _, refusal := api.Predict(ctx).PredictionRequest(*client.NewPredictionRequest(features)).Execute()
	problem := refusal.(*client.GenericOpenAPIError).Model().(client.Problem)
	text, err := json.Marshal(map[string]interface{}{
		"prediction": prediction.Prediction,
		"batch":      confidences,
		"stored":     stored.Stored,
		"refused":    problem.Problems[0].Path,
	})
	must(err)
	fmt.Println(string(text))
}
