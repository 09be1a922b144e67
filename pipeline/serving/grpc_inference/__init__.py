"""The Open Inference Protocol over gRPC, beside the HTTP server and with its engine, credentials, limits and log."""
