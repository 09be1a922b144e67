// Call a server with the types that openapi-typescript generated: ADDRESS ROW.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };
const [address, text] = process.argv.slice(2) as [string, string];
const features: components["schemas"]["Features"] = JSON.parse(text);
const client = createClient<paths>({ baseUrl: address });

const predicted = await client.POST("/predict", { body: { features } });
const batch = await client.POST("/predict/batch", { body: { instances: [features, features] } });
if (!predicted.data || !batch.data) throw new Error("refused");
const stored = await client.POST("/feedback", {
  body: { prediction_id: predicted.data.prediction_id, outcome: "Introvert" },
});
const refused = await client.POST("/predict", { body: { features: { ...features, Time_spent_Alone: 99 } } });
console.log(
  JSON.stringify({
    prediction: predicted.data.prediction,
    batch: batch.data.predictions.map((item) => ("confidence" in item ? item.confidence : null)),
    stored: stored.data?.stored,
    refused: refused.error?.problems?.[0]?.path,
  }),
);
