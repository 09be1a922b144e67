"""Call a server with KServe's clients, over both protocols of HTTP and over gRPC: ADDRESS GRPC_ADDRESS MODEL."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import grpc
import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

WORDS = ["No", "Yes"]
NUMBERS = [4, 9]


def request(model: str, *, is_binary: bool, numbers: Any = NUMBERS, **options: Any) -> InferRequest:
    dtype = np.float64 if any(isinstance(number, float) for number in numbers) else np.int64
    words = InferInput("Stage_fear", [2], "BYTES")
    words.set_data_from_numpy(np.array(WORDS, dtype=np.object_), binary_data=is_binary)
    alone = InferInput("Time_spent_Alone", [2], "FP64" if dtype is np.float64 else "INT64")
    alone.set_data_from_numpy(np.array(numbers, dtype=dtype), binary_data=is_binary)
    return InferRequest(model_name=model, infer_inputs=[words, alone], **options)


def outputs(response: Any) -> dict[str, Any]:
    values = {output.name: output.as_numpy().tolist() for output in response.outputs}
    labels = [label.decode() if isinstance(label, bytes) else label for label in values["prediction"]]
    return {
        "id": response.id,
        "version": response.model_version,
        "prediction": labels,
        "confidence": values["confidence"],
        "probabilities": values["probabilities"],
    }


async def refusal(call: Any) -> Any:
    try:
        await call
    except httpx.HTTPStatusError as error:
        return [error.response.status_code, str(error)]
    except grpc.RpcError as error:
        return [error.code().name, error.details()]
    return "accepted"


async def version_2(address: str, model: str) -> dict[str, Any]:
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        return {
            "live": await client.is_server_live(address),
            "ready": await client.is_server_ready(address),
            "model_ready": await client.is_model_ready(address, model),
            "other_ready": await client.is_model_ready(address, "other"),
            "json": outputs(await client.infer(address, request(model, is_binary=False), model)),
            "binary": outputs(await client.infer(address, request(model, is_binary=True), model)),
            "binary_out": outputs(
                await client.infer(
                    address, request(model, is_binary=True, parameters={"binary_data_output": True}), model
                )
            ),
            "id": outputs(await client.infer(address, request(model, is_binary=False, request_id="r-7"), model)),
            "missing": outputs(
                await client.infer(address, request(model, is_binary=False, numbers=[4.0, float("nan")]), model)
            ),
            "missing_binary": outputs(
                await client.infer(address, request(model, is_binary=True, numbers=[4.0, float("nan")]), model)
            ),
            "refused": await refusal(client.infer(address, request(model, is_binary=True, numbers=[4, 99]), model)),
            "other": await refusal(client.infer(address, request("other", is_binary=True), model)),
        }


async def version_1(address: str, model: str) -> dict[str, Any]:
    rows = [{"Stage_fear": word, "Time_spent_Alone": number} for word, number in zip(WORDS, NUMBERS, strict=True)]
    async with InferenceRESTClient(RESTConfig(protocol="v1")) as client:
        return {
            "live": await client.is_server_live(address),
            "model_ready": await client.is_model_ready(address, model),
            "predict": await client.infer(address, {"instances": rows}, model),
            "explain": await client.explain(address, model, {"instances": rows[:1]}),
            "refused": await refusal(client.infer(address, {"instances": [{"Time_spent_Alone": 99}]}, model)),
            "other": await refusal(client.infer(address, {"instances": rows}, "other")),
        }


async def over_grpc(address: str, model: str) -> dict[str, Any]:
    async with InferenceGRPCClient(address) as client:
        return {
            "live": await client.is_server_live(),
            "ready": await client.is_server_ready(),
            "model_ready": await client.is_model_ready(model),
            "other_ready": await client.is_model_ready("other"),
            "typed": outputs(await client.infer(request(model, is_binary=False))),
            "raw": outputs(await client.infer(request(model, is_binary=True))),
            "missing": outputs(await client.infer(request(model, is_binary=False, numbers=[4.0, float("nan")]))),
            "refused": await refusal(client.infer(request(model, is_binary=True, numbers=[4, 99]))),
            "other": await refusal(client.infer(request("other", is_binary=True))),
        }


async def main() -> None:
    address, grpc_address, model = sys.argv[1:]
    calls = {
        "v2": await version_2(address, model),
        "v1": await version_1(address, model),
        "grpc": await over_grpc(grpc_address, model),
    }
    print(json.dumps(calls))


asyncio.run(main())
