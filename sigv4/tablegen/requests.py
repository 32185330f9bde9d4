"""Writes a request for each operation that is told by method and path, as botocore serializes it, and some of the
others: what the tests ask the actions of.

    python requests.py >requests.tsv
"""

import csv
import itertools
import sys
from urllib.parse import quote, urlencode

import botocore.loaders
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import BotoCoreError
from botocore.model import ServiceModel
from botocore.serialize import create_serializer

COLUMNS = ["host", "service", "method", "path", "query", "target", "content-type", "body", "copy", "operation"]
# Operations of a protocol that names them in the request: the matter is the protocol.
SOME = 2
REGION = "us-east-1"


def value_of(shape, depth=0):
    """Something that fits a shape, with as little in it as may be."""
    match shape.type_name:
        case "structure" if depth < 6:
            return {n: value_of(shape.members[n], depth + 1) for n in shape.required_members}
        case "structure" | "map":
            return {}
        case "list":
            return [value_of(shape.member, depth + 1)] if depth < 6 else []
        case "string":
            return shape.enum[0] if shape.enum else "name-1"
        case "boolean":
            return True
        case "blob":
            return b"x"
        case "timestamp":
            return 0
        case _:
            return 1


def requests_of(model, protocol):
    serializer = create_serializer(protocol, include_validation=False)
    for name in model.operation_names:
        operation = model.operation_model(name)
        shape = operation.input_shape
        request = serializer.serialize_to_request(value_of(shape) if shape else {}, operation)
        path, _, literal = request["url_path"].partition("?")
        query = request.get("query_string") or {}
        query = [literal, urlencode(query, doseq=True, quote_via=quote)]
        headers = {n.lower(): v for n, v in request["headers"].items()}
        body = request["body"]
        is_form = isinstance(body, dict)
        yield [
            request["method"],
            path,
            "&".join(filter(None, query)),
            headers.get("x-amz-target", ""),
            "application/x-www-form-urlencoded; charset=utf-8" if is_form else "",
            f"Action={body['Action']}&Version={body['Version']}" if is_form and body else "",
            headers.get("x-amz-copy-source", ""),
            name,
        ]


def host_of(loader, client, partitions):
    provider = EndpointProvider(loader.load_service_model(client, "endpoint-rule-set-1"), partitions)
    params = {"Region": REGION, "UseFIPS": False, "UseDualStack": False}
    known = provider.ruleset.parameters
    try:
        endpoint = provider.resolve_endpoint(**{n: v for n, v in params.items() if n in known})
    except BotoCoreError:
        return None  # Of a resource, which the parameters would name.
    return endpoint.url.split("//", 1)[1].split("/", 1)[0]


def main():
    loader = botocore.loaders.Loader()
    partitions = loader.load_data("partitions")
    out = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
    out.writerow(COLUMNS)
    for client in loader.list_available_services("service-2"):
        service = loader.load_service_model(client, "service-2")
        metadata = service["metadata"]
        model = ServiceModel(service, client)
        host = host_of(loader, client, partitions)
        if host is None:
            continue
        for protocol in sorted({*metadata.get("protocols", []), metadata["protocol"]}):
            some = None if protocol.startswith("rest-") else SOME
            for request in itertools.islice(requests_of(model, protocol), some):
                out.writerow([host, metadata.get("signingName", metadata["endpointPrefix"]), *request])


if __name__ == "__main__":
    main()
