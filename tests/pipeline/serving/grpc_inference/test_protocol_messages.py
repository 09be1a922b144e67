from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from tritonclient.grpc import service_pb2

from pipeline.serving.grpc_inference.protocol_messages import METHODS, SERVICE, message_class

SIDES = ("Request", "Response")
NESTED = ("ModelInferRequest.InferInputTensor", "ModelInferResponse.InferOutputTensor", "InferTensorContents")


def shape_of(descriptor: object) -> dict[str, tuple[int, int, bool, str]]:
    """Return number, type and label of each field, and the message that it holds."""
    return {
        field.name: (
            field.number,
            field.type,
            field.is_repeated,
            field.message_type.full_name if field.message_type else "",
        )
        for field in descriptor.fields  # type: ignore[attr-defined]
    }


def triton_descriptor(name: str) -> object:
    return service_pb2.DESCRIPTOR.pool.FindMessageTypeByName(f"inference.{name}")


@pytest.mark.parametrize("name", [*(f"{method}{side}" for method in METHODS for side in SIDES), *NESTED])
def test_a_message_has_the_fields_that_tritons_client_knows(name: str) -> None:
    ours, theirs = shape_of(message_class(name).DESCRIPTOR), shape_of(triton_descriptor(name))
    assert ours == {field: theirs[field] for field in ours}


def test_the_service_has_the_name_and_the_methods_that_tritons_client_calls() -> None:
    service = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    assert service.full_name == SERVICE
    assert set(METHODS) <= {method.name for method in service.methods}


def test_a_message_reads_the_bytes_of_tritons_client() -> None:
    request = service_pb2.ModelInferRequest(model_name="m", raw_input_contents=[b"\1"])
    request.parameters["priority"].int64_param = 3
    request.inputs.add(name="size", datatype="INT64", shape=[1]).contents.int64_contents.append(-7)
    message = message_class("ModelInferRequest").FromString(request.SerializeToString())
    assert str(message) == str(request)
    assert message.SerializeToString(deterministic=True) == request.SerializeToString(deterministic=True)


def test_bytes_of_another_kind_are_no_message() -> None:
    with pytest.raises(DecodeError):
        message_class("ModelInferRequest").FromString(b"\xff\xff")
