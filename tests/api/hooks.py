"""What a run of schemathesis is told about this system: who calls, and which values exist.

It reads a file made by `check.py`, and leaves one that says which operations have succeeded.
"""

import atexit
import collections
import itertools
import json
import os
import re

import jsonschema
import schemathesis
from schemathesis.generation.meta import TestPhase
from schemathesis.specs.openapi.checks import AcceptedNegativeData, RejectedPositiveData

from program import Client
from world import CITY, PLACE, account

with open(os.environ["QS_TEST_WORLD"]) as world:
    WORLD = json.load(world)
ROLE, IDS = WORLD["role"], WORLD["ids"]
NUMBERS = itertools.count()
# They end the session that they are called in.
ENDING = {"Logout", "LogoutAll", "EraseMe"}
# What is wrong with a request though each field by itself is as the document has it: no schema says these.
BEYOND_SCHEMA = re.compile("|".join([
    "is not one that|is not one of the payment provider's",  # tokens that only a system makes
    "is one of the most common passwords",
    "must be after|must come with|given in the URL too|given twice|or (a provider_id|recall_of|lines) must be given",  # one field against another
    "must be empty with recall_of|must be left out where there are details|^window must be given",  # and again
    "must be in the future|must be at most [0-9]+ days after",  # a field against the clock, or another
    "must be at least [0-9]+ minutes from now|must be at most [0-9]+ days from now",  # notice and horizon
    "where the position of the address lies|lies in no country|the country of the p|the zone of the address",  # the map
    "must be an? (date|local time|IANA time zone|e-mail address)",  # calendars, zones and mailboxes
    "must be (more|greater) than|must not be negative|must be between",  # an amount where it stands
    "refund must be given",  # where the resolution is to refund
    "^name must not be empty|^update_mask ",  # where the mask names it
    "is not on the checklist|is not the payment's currency",  # what another object asks for
    "^(from|to) must be a time",  # once the hours are on
    "may be asked for by operators only",
    "must (have|number|name) |must be parts such as",  # rules of series
    "must be a date of the rule|must be given with this mode|must be empty with PROVIDER_MODE_ANY",
    "must be at most the 28th|UNTIL of the rule|must be from_on or|must be after today|must not be in the past",
    "changes with the scope|must change something|must be a date and a time",
    "or receipt_sha256 must be given|say why an operator does this",
]))
ANSWERS = collections.defaultdict(collections.Counter)


def newcomer():
    """The token of an account that nobody else uses."""
    person = account(f"{ROLE}{next(NUMBERS)}")
    stranger = Client(WORLD["url"])
    stranger.post("/v1/users", person)
    return stranger.sign_in(person["email"], person["password"]).token


# Has one unread message, that of its registration: the stream of its inbox begins at once.
READER = newcomer()


@schemathesis.auth(refresh_interval=None)
class Account:
    """Signs requests in."""

    def get(self, case, context):
        operation = context.operation.definition.raw["operationId"]
        if ROLE == "stranger":
            return None
        if operation in ENDING:
            return newcomer()
        return READER if operation == "WatchInbox" else WORLD["token"]

    def set(self, case, token, context):
        if token:
            case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts what exists in the place of what was made up, every other time."""
    operation = case.operation.definition.raw["operationId"]
    if operation in {"WatchInbox", "WatchTrack"}:
        case.headers["Accept"] = "text/event-stream"
    if case.headers.get("If-Match") == "":
        # The generator takes the quotes of the pattern for its own, and leaves nothing.
        del case.headers["If-Match"]
    if case.meta is not None and case.meta.generation.mode.is_positive and next(NUMBERS) % 2 == 0:
        for values in (case.path_parameters, case.query, case.body):
            if isinstance(values, dict):
                substitute(values)
    if operation in {"SuspendUser", "ReinstateUser"} and case.path_parameters["user_id"] in IDS.get("user_id", []):
        # Nobody suspends who calls.
        case.path_parameters["user_id"] = WORLD["victim"]


def substitute(values):
    """Puts known values where there are other texts."""
    for name in sorted(values.keys() & IDS.keys()):
        if IDS[name] and isinstance(values[name], str):
            values[name] = IDS[name][next(NUMBERS) % len(IDS[name])]
    for name, place in {"address": PLACE, "area": CITY}.items():
        if isinstance(values.get(name), dict):
            values[name] |= place


@schemathesis.hook
def after_call(context, case, response):
    ANSWERS[case.operation.definition.raw["operationId"]][response.status_code] += 1


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drops what is no fault."""
    # The object is not in the version that If-Match names: that is answered before the content is looked at.
    if response is not None and response.status_code == 412:
        return False
    if isinstance(failure, RejectedPositiveData):
        # Other phases take values from answers and the clock, so that each run would find another rule of the domain.
        if case.meta.phase.name not in {TestPhase.EXAMPLES, TestPhase.COVERAGE}:
            return False
        problem = response.json()
        # The form was right, but the state does not allow it.
        if problem["code"] == "FAILED_PRECONDITION":
            return False
        said = [f"{it['field']} {it['description']}" for it in problem.get("violations", [])]
        return not said or not all(map(BEYOND_SCHEMA.search, said))
    if isinstance(failure, AcceptedNegativeData):
        # The document says in words that null is like absent, and that an enum has numbers too; to say it in each
        # schema would hide their types.
        return not is_valid_without_nulls(case) and not has_enum_by_number(case)
    return True


def has_enum_by_number(case):
    """Whether a parameter of the query that is an enum is a number."""
    enums = {it["name"] for it in case.operation.definition.raw["parameters"] if "enum" in it["schema"]}
    return any(str(case.query[name]).isdigit() for name in enums & (case.query or {}).keys())


def is_valid_without_nulls(case):
    """Whether the body is as the document has it once the fields that are null are left out."""
    without = stripped(case.body)
    if without == case.body:
        return False
    content = case.operation.definition.raw["requestBody"]["content"]["application/json"]
    components = case.operation.schema.raw_schema["components"]
    return jsonschema.Draft202012Validator(content["schema"] | {"components": components}).is_valid(without)


def stripped(value):
    """The value without fields that are null."""
    if isinstance(value, dict):
        return {name: stripped(field) for name, field in value.items() if field is not None}
    return [stripped(item) for item in value] if isinstance(value, list) else value


@atexit.register
def report():
    with open(os.environ["QS_TEST_ANSWERS"], "w") as file:
        json.dump(ANSWERS, file)
