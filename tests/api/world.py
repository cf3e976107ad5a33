"""What the checks find when they begin: an account of each role, orders in many states, and the ids of all of it."""

import datetime
import hashlib

from program import PASSWORD, Client

CITY = {"lat": 48.8566, "lng": 2.3522}
PLACE = {"lines": ["1 rue de la Paix"], "postcode": "75002", "city": "Paris", "country": "FR"} | CITY
HOUR = datetime.timedelta(hours=1)
# How far the orders that begin soon have come, each with a cleaner of its own.
STAGES = ["assigned", "en route", "arrived", "in progress", "delivered", "completed"]


class World:
    """A system with a past. `ids` has known values of path variables and fields, by their name."""

    def __init__(self, program):
        emails = program.city(customers=1, providers=len(STAGES))
        self.stranger = Client(program.url)
        self.emails = {
            "customer": emails["customer"],
            "provider": emails["cleaner"],
            "operator": emails["operator"],
        }
        self.customer, self.cleaner, self.operator = map(self.stranger.sign_in, self.emails.values())
        soon = datetime.datetime.now(datetime.timezone.utc) + 5 * HOUR / 2
        self.orders = []
        for stage in range(len(STAGES)):
            # The checks' own cleaner is the one who is at work.
            number = (stage - STAGES.index("in progress")) % len(STAGES)
            cleaner = self.stranger.sign_in(emails["cleaner"].replace("cleaner0", f"cleaner{number}"))
            self.orders.append(self.work(stage, cleaner, self.book(cleaner, soon)))
        self.orders += [self.book(self.cleaner, soon + days * 24 * HOUR) for days in (2, 3, 4)]
        self.series = self.customer.post("/v1/series", {
            "vertical": "cleaning", "provider_id": self.provider_id, "mode": "PROVIDER_MODE_PREFERRED",
            "details": {"type": "standard", "rooms": 2, "bathrooms": 1, "frequency": "weekly"}, "address": PLACE,
            "from_on": (soon + 10 * 24 * HOUR).date().isoformat(), "rrule": "FREQ=WEEKLY",
            "start_local": "09:00", "minutes": 120,
        })["id"]
        self.surroundings()

    def book(self, cleaner, start):
        """Books a cleaning; the provider has not said yes."""
        self.provider_id = cleaner.get("/v1/me/provider")["id"]
        quote = {
            "vertical": "cleaning",
            "provider_id": self.provider_id,
            "details": {"type": "standard", "rooms": 2, "bathrooms": 1},
            "window": {
                "start": start.isoformat(), "end": (start + 2 * HOUR).isoformat(), "time_zone": "Europe/Paris",
            },
            "address": PLACE,
        }
        self.quote_id = self.customer.post("/v1/quotes", quote)["id"]
        return self.customer.post("/v1/orders", {"quote_id": self.quote_id})["id"]

    def work(self, stage, cleaner, order):
        """Brings an order as far as `stage`."""
        path = f"/v1/orders/{order}"
        steps = [
            lambda: cleaner.post(f"{path}:accept", {}),
            lambda: cleaner.post(f"{path}:depart", {}),
            lambda: cleaner.post(f"{path}:arrive", {"position": CITY}),
            lambda: cleaner.post(f"{path}:start", {"start_code": self.customer.get(path)["start_code"]}),
            lambda: self.deliver(cleaner, path),
            lambda: self.customer.post(f"{path}:acceptDelivery", {}),
        ]
        for step in steps[: stage + 1]:
            step()
        return order

    def deliver(self, cleaner, path):
        """Does all that is on the checklist, proves it and says so."""
        items = cleaner.get(f"{path}/checklist")["items"]
        cleaner.send("PATCH", f"{path}/checklist", {"items": [{"code": it["code"], "done": True} for it in items]})
        for kind in ("photo.before", "photo.after"):
            cleaner.post(f"{path}/proofs", {"kind": kind, "sha256": hashlib.sha256(kind.encode()).hexdigest()})
        cleaner.post(f"{path}:deliver", {})

    def surroundings(self):
        """What hangs on accounts and providers."""
        for person in (self.customer, self.cleaner, self.operator):
            person.post("/v1/me/addresses", {"label": "home", "address": PLACE})
        provider = f"/v1/providers/{self.cleaner.get('/v1/me/provider')['id']}"
        self.cleaner.post(f"{provider}/timeOff", {"start_local": "2030-01-01T00:00", "end_local": "2030-01-02T00:00"})
        self.cleaner.post(f"{provider}/members", {"name": "Bob", "role": "driver"})
        self.cleaner.post(f"{provider}/assets", {"kind": "van", "volume_l": 8000})
        change = {"reason": "A window more.", "lines": [{"label": "Window", "minor_units": "500"}]}
        self.cleaner.post(f"/v1/orders/{self.orders[3]}/changeOrders", change)
        self.victim = self.stranger.post("/v1/users", account("victim"))["id"]

    def person(self, role):
        """Who calls in this role; nobody for a stranger."""
        return {"customer": self.customer, "provider": self.cleaner, "operator": self.operator}.get(role)

    def known(self, role):
        """The ids that operations ask for, by the names of their variables and fields."""
        provider = self.cleaner.get("/v1/me/provider")["id"]
        own = f"/v1/providers/{provider}"
        person = self.person(role)
        mine = {
            "user_id": [person.get("/v1/me")["id"]],
            "address_id": each(person, "/v1/me/addresses", "addresses"),
            "message_id": each(person, "/v1/inbox", "messages"),
        } if person else {}
        return mine | {
            "provider_id": [provider],
            "order_id": self.orders,
            "quote_id": [self.quote_id],
            "series_id": [self.series],
            "change_order_id": each(self.customer, f"/v1/orders/{self.orders[3]}/changeOrders", "change_orders"),
            "payment_method_id": each(self.customer, "/v1/paymentMethods", "payment_methods"),
            "payment_id": each(self.customer, "/v1/payments", "payments"),
            "payout_id": each(self.operator, "/v1/payouts", "payouts"),
            "due_id": each(self.customer, "/v1/me/dues", "dues"),
            "asset_id": each(self.cleaner, f"{own}/assets", "assets"),
            "document_id": each(self.operator, f"{own}/documents", "documents"),
            "member_id": each(self.cleaner, f"{own}/members", "members"),
            "offering_id": each(self.cleaner, f"{own}/offerings", "offerings"),
            "time_off_id": each(self.cleaner, f"{own}/timeOff", "time_off"),
            "vertical": ["cleaning"],
            "name": ["sandbox"],
            "date": ["2030-05-01"],
        }


def each(person, path, field):
    """The ids of what a list returns."""
    return [item["id"] for item in person.get(path)[field]]


def account(name):
    """What to send for a customer's account."""
    return {"name": name, "email": f"{name}@example.org", "role": "customer", "password": PASSWORD}
