"""Books over plain HTTP, with the models that datamodel-code-generator makes."""

import datetime
import uuid
from typing import TypeVar

import httpx
import pydantic

from generated.datamodel import (
    AddressInput,
    CreateOrderRequest,
    CreateQuoteRequest,
    LoginRequest,
    LoginResponse,
    Order,
    Problem,
    Quote,
    TimeWindowInput,
)
from world import ADDRESS, DETAILS, WORLD

Answer = TypeVar("Answer", bound=pydantic.BaseModel)
http = httpx.Client(base_url=WORLD["url"], timeout=30)


def post(path: str, body: pydantic.BaseModel, answer: type[Answer]) -> Answer:
    """Sends a model and reads another one."""
    content = body.model_dump_json(exclude_none=True)
    response = http.post(path, content=content, headers={"content-type": "application/json"})
    return answer.model_validate_json(response.content)


login = LoginRequest(email=WORLD["email"], password=WORLD["password"])
session = post("/v1/auth/login", login, LoginResponse)
http.headers["authorization"] = f"Bearer {session.access_token}"

window = TimeWindowInput(
    start=datetime.datetime.fromisoformat(WORLD["start"]),
    end=datetime.datetime.fromisoformat(WORLD["end"]),
    time_zone="Europe/Paris",
)
request = CreateQuoteRequest(
    vertical="cleaning",
    provider_id=uuid.UUID(WORLD["provider_id"]),
    details=DETAILS,
    window=window,
    address=AddressInput.model_validate(ADDRESS),
)
quote = post("/v1/quotes", request, Quote)
booking = CreateOrderRequest(quote_id=uuid.UUID(quote.id))
booked = post("/v1/orders", booking, Order)
order = Order.model_validate_json(http.get(f"/v1/orders/{booked.id}").content)
assert order.state.value == "ORDER_STATE_REQUESTED", order.state
assert post("/v1/orders", booking, Problem).reason == "QUOTE_USED"
