"""Asks botocore's own endpoint rules for every host of every service, and writes what they say as JSON.

    python endpoints.py >endpoints.json

`make botocore` runs it with the version of botocore that it is given.
"""

import itertools
import json
import re
import sys

import botocore
import botocore.loaders
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import BotoCoreError
from botocore.regions import EndpointResolver

STACKS = {"dns": False, "dual": True}


def regions_of(partition):
    """Without the pseudo regions, whose names no host carries."""
    return [r for r in partition["regions"] if re.match(partition["regionRegex"], r)]


def variants(service):
    """The parameters under which one of its operations may go to a host of its own, and the prefix of that host."""
    yield {}, ""
    seen = set()
    for operation in service.get("operations", {}).values():
        fixed = {n: v["value"] for n, v in operation.get("staticContextParams", {}).items()}
        prefix = operation.get("endpoint", {}).get("hostPrefix", "")
        if "{" in prefix:
            continue  # The name of a resource: see planes.rs.
        key = (json.dumps(fixed, sort_keys=True), prefix)
        if key not in seen and key != ("{}", ""):
            seen.add(key)
            yield fixed, prefix


def auth_of(metadata, schemes):
    """What signs: SigV4 where it will do."""
    if metadata["signatureVersion"] == "v2":
        return "other"
    names = [s["name"] for s in schemes] or metadata.get("auth") or [metadata["signatureVersion"]]
    names = [n.split("#")[-1] for n in names]
    if any(n in ("sigv4", "v4", "s3", "s3v4") for n in names):
        return "sigv4"
    if "sigv4a" in names:
        return "sigv4a"
    if any(n in ("bearer", "httpBearerAuth") for n in names):
        return "bearer"
    return "other"


def hosts_of(service, provider, older, partitions):
    """Rows of (host, partition, region asked for, signing name, signing region, auth, is an operation's own)."""
    metadata = service["metadata"]
    prefix_name = metadata["endpointPrefix"]
    known = provider.ruleset.parameters
    for (fixed, prefix), partition in itertools.product(variants(service), partitions):
        for region, fips, dual in itertools.product(regions_of(partition), (False, True), (False, True)):
            # Where the rules are silent about the signature, the client keeps to what came before them.
            scope = (older.construct_endpoint(prefix_name, region, partition["id"]) or {}).get("credentialScope", {})
            name = metadata.get("signingName", scope.get("service", prefix_name))
            params = {"Region": region, "UseFIPS": fips, "UseDualStack": dual, **fixed}
            try:
                endpoint = provider.resolve_endpoint(**{n: v for n, v in params.items() if n in known})
            except BotoCoreError:
                continue  # There is none.
            schemes = endpoint.properties.get("authSchemes", [])
            scheme = next((s for s in schemes if s["name"] == "sigv4"), schemes[0] if schemes else {})
            host = prefix + endpoint.url.split("//", 1)[1].split("/", 1)[0]
            yield (
                host,
                partition["id"],
                region,
                scheme.get("signingName", name),
                scheme.get("signingRegion", scope.get("region", region)),
                auth_of(metadata, schemes),
                bool(prefix or fixed),
            )


def fold(hosts, partitions):
    """From hosts of regions to names with a place for the region.

    A name that was met in several regions, or in the only one of its partition, is the name of a regional host.
    """
    suffixes = sorted(
        ((p["outputs"][key], p["id"], stack) for p in partitions for stack, key in
         (("dns", "dnsSuffix"), ("dual", "dualStackDnsSuffix"))),
        key=lambda s: (-len(s[0]), s[1] != "aws", s[1]),
    )
    regions = {p["id"]: regions_of(p) for p in partitions}
    regional, whole, left_out = {}, {}, set()
    for host, partition, asked, service, signs, auth, own in hosts:
        fits = [s for s in suffixes if host.endswith("." + s[0])]
        if not fits:
            left_out.add(host)  # Sign-in pages, and `on.aws`: see planes.rs.
            continue
        # Some services are under api.aws with the regions of any partition.
        suffix, at, stack = next((s for s in fits if s[1] == partition), fits[0])
        rest = host[: -len(suffix) - 1]
        head, _, last = rest.rpartition(".")
        zone = f"{at}/{stack}"
        if head and at == partition and last in regions[partition]:
            regional.setdefault((head, zone, service, auth), {}).setdefault(last, []).append((signs, own))
        else:
            whole.setdefault((rest, zone, service, auth), []).append((signs, own))
    rows = []
    for (name, zone, service, auth), met in regional.items():
        own = all(o for answers in met.values() for _, o in answers)
        # Asked for in another region, a host of one region may be said to sign there: its own counts.
        signed = {r: (r if any(s == r for s, _ in a) else a[0][0]) for r, a in met.items()}
        everywhere = len(met) > 1 or len(regions[zone.split("/")[0]]) == 1
        if everywhere and all(r == s for r, s in signed.items()):
            rows.append([name, zone, service, auth, "here", own])
        elif everywhere and len(set(signed.values())) == 1:
            rows.append([name, zone, service, auth, "in " + next(iter(signed.values())), own])
        else:
            rows += [[f"{name}.{r}", zone, service, auth, "whole " + s, own] for r, s in signed.items()]
    home = {p["id"]: p["outputs"]["implicitGlobalRegion"] for p in partitions}
    for (name, zone, service, auth), answers in whole.items():
        signs = {s for s, _ in answers}
        region = signs.pop() if len(signs) == 1 else home[zone.split("/")[0]]
        rows.append([name, zone, service, auth, "whole " + region, all(o for _, o in answers)])
    return rows, left_out


def main():
    loader = botocore.loaders.Loader()
    partitions = loader.load_data("partitions")
    older = EndpointResolver(loader.load_data("endpoints"))
    each = sorted(partitions["partitions"], key=lambda p: (p["id"] != "aws", p["id"]))
    rows, prefixes, left_out = [], {}, set()
    for client in loader.list_available_services("service-2"):
        service = loader.load_service_model(client, "service-2")
        metadata = service["metadata"]
        rules = loader.load_service_model(client, "endpoint-rule-set-1")
        folded, out = fold(
            hosts_of(service, EndpointProvider(rules, partitions), older, each), each
        )
        rows += folded
        left_out |= out
        prefix = metadata["endpointPrefix"]
        prefixes[prefix] = metadata.get("signingName", prefix)
        # What came before regions, and is still in use: sts.amazonaws.com.
        if metadata.get("globalEndpoint", "").endswith(".amazonaws.com"):
            name = metadata["globalEndpoint"].removesuffix(".amazonaws.com")
            if not any(r[:2] == [name, "aws/dns"] and r[4].startswith("whole") for r in folded):
                rows.append([name, "aws/dns", prefixes[prefix], "sigv4", "whole us-east-1", False])
    print(f"left out: {sorted(left_out)}", file=sys.stderr)
    json.dump(
        {
            "botocore": botocore.__version__,
            "partitions": [
                {
                    "id": p["id"],
                    "dns": p["outputs"]["dnsSuffix"],
                    "dual": p["outputs"]["dualStackDnsSuffix"],
                    "global": p["outputs"]["implicitGlobalRegion"],
                    "form": p["regionRegex"],
                    "regions": regions_of(p),
                }
                for p in each
            ],
            "prefixes": dict(sorted(prefixes.items())),
            "hosts": sorted(set(map(tuple, rows))),
        },
        sys.stdout,
        indent=0,
    )


if __name__ == "__main__":
    main()
