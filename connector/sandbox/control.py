"""The sandbox's own endpoints under /_sandbox/, for tests in other processes. They count in no window."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from connector.sandbox.answers import Reply
from connector.sandbox.faults import Dealer, Faults
from connector.sandbox.journal import Seen

if TYPE_CHECKING:
    from connector.sandbox.api import Api

PREFIX = "/_sandbox/"


def control(api: Api, method: str, target: str, body: bytes) -> Reply:
    """GET state (?tenant=), requests, faults; PUT faults, keys (key → tenants, null revokes it); POST reset."""
    url = urlsplit(target)
    try:
        match method, url.path.removeprefix(PREFIX):
            case "GET", "state":
                return Reply(200, api.documents(parse_qs(url.query).get("tenant", [api.config.tenants[0]])[0]))
            case "GET", "requests":
                return Reply(200, summary(api))
            case "PUT", "faults":
                faults = Faults.parse(json.loads(body))
                with api.lock:
                    api.dealer = Dealer(faults)
            case "PUT", "keys":
                _put_keys(api, json.loads(body))
            case "POST", "reset":
                api.reset()
            case "GET", "faults":
                pass
            case _:
                return Reply(404, {"error": "there is no such control"})
    except KeyError:
        return Reply(404, {"error": "there is no such tenant"})
    except ValueError as error:
        return Reply(400, {"error": str(error)})
    return Reply(200, dataclasses.asdict(api.dealer.faults))


def summary(api: Api) -> dict[str, Any]:
    """What was seen: counts by endpoint and status (0: no answer), the fullest windows, broken promises, requests."""
    with api.lock:
        journal, limits = api.journal, api.limits
        requests, counted, broken = journal.requests, sorted(journal.counts.items()), list(journal.broken_promises)
    counts: dict[str, dict[str, int]] = {}
    for (endpoint, status), count in counted:
        counts.setdefault(endpoint, {})[str(status)] = count
    return {
        "counts": counts,
        "fullest_minute": limits.fullest_minute,
        "fullest_hour": limits.fullest_hour,
        "broken_promises": broken,
        "requests": [{name: getattr(each, name) for name in Seen.__slots__} for each in requests],
    }


def _put_keys(api: Api, keys: object) -> None:
    if not isinstance(keys, dict) or not all(each is None or isinstance(each, list) for each in keys.values()):
        raise ValueError("keys are a JSON object: key → list of tenants, or null to revoke it")
    for key, tenants in keys.items():
        api.allow(key, None if tenants is None else tuple(map(str, tenants)))
