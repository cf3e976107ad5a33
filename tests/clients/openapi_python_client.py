"""Books with the client that openapi-python-client makes."""

import datetime
import uuid

from generated.quickserve_client import AuthenticatedClient, Client
from generated.quickserve_client.api.order import create_order, create_quote, get_order
from generated.quickserve_client.api.user import login
from generated.quickserve_client.models import (
    AddressInput,
    CleaningDetailsInput,
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

# The generator wants a token for every operation that may have one, and signing in may.
stranger = Client(WORLD["url"])
session = login.sync(client=stranger, body=LoginRequest(WORLD["email"], WORLD["password"]))  # type: ignore[arg-type]
assert isinstance(session, LoginResponse), session
client = AuthenticatedClient(WORLD["url"], session.access_token)

window = TimeWindowInput(
    start=datetime.datetime.fromisoformat(WORLD["start"]),
    end=datetime.datetime.fromisoformat(WORLD["end"]),
    time_zone="Europe/Paris",
)
request = CreateQuoteRequest(
    vertical="cleaning",
    provider_id=uuid.UUID(WORLD["provider_id"]),
    details=CleaningDetailsInput.from_dict(DETAILS),
    window=window,
    address=AddressInput.from_dict(ADDRESS),
)
quote = create_quote.sync(client=client, body=request)
assert isinstance(quote, Quote), quote

booking = CreateOrderRequest(quote_id=uuid.UUID(quote.id))
booked = create_order.sync(client=client, body=booking)
assert isinstance(booked, Order), booked

order = get_order.sync(uuid.UUID(booked.id), client=client)
assert isinstance(order, Order), order
assert order.state == "ORDER_STATE_REQUESTED", order.state

refused = create_order.sync(client=client, body=booking)
assert isinstance(refused, Problem) and refused.reason == "QUOTE_USED", refused
