"""Writes the operations of botocore's models: what tells one request to a service from another.

    python operations.py >operations.txt

A block a signing name, and in it a part (`@`) an endpoint prefix: the names by which its protocols call it, then method,
path and name of each REST operation. Those of S3's buckets and objects are told by query and headers: see s3.rs.
"""

import re
import sys

import botocore
import botocore.loaders

def protocols_of(metadata):
    """All that the service answers, not only what botocore speaks."""
    return {*metadata.get("protocols", []), metadata["protocol"]}


def lines_of(service):
    metadata = service["metadata"]
    target = metadata.get("targetPrefix", "")
    for protocol in protocols_of(metadata):
        if protocol in ("query", "ec2"):
            yield "query"
        elif protocol == "json":
            yield f"json {target}"
        elif protocol == "smithy-rpc-v2-cbor":
            yield f"cbor {target}"
        elif protocol.startswith("rest-"):
            for name, operation in service["operations"].items():
                http = operation["http"]
                path = re.sub(r"\{[^}+]+(\+?)\}", r"{\1}", http["requestUri"])
                yield f"{http['method']} {path} {name}"
        else:
            sys.exit(f"the protocol {protocol} of {metadata['serviceId']} is not known here")


def main():
    loader = botocore.loaders.Loader()
    blocks = {}
    for client in loader.list_available_services("service-2"):
        service = loader.load_service_model(client, "service-2")
        metadata = service["metadata"]
        # The account's part of S3 signs as the rest of it does.
        name = "s3-control" if client == "s3control" else metadata.get("signingName", metadata["endpointPrefix"])
        if client != "s3":
            block = blocks.setdefault(name, {})
            block.setdefault(metadata["endpointPrefix"], set()).update(lines_of(service))
    print(f"# From botocore {botocore.__version__} by `make botocore`; do not edit.")
    for name, parts in sorted(blocks.items()):
        print(f"[{name}]")
        for prefix, lines in sorted(parts.items()):
            print(f"@{prefix}", *sorted(lines), sep="\n")


if __name__ == "__main__":
    main()
