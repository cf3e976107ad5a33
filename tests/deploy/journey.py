"""README's first order, against a system that runs."""

import dataclasses
import datetime
import hashlib
import json
import re
import urllib.error
import urllib.request

PASSWORD = "a-demo-city-of-light"
DOOR = {"lat": 48.8566, "lng": 2.3522}


@dataclasses.dataclass
class Answer:
    status: int
    text: str

    def json(self):
        return json.loads(self.text)


def ask(method, url, body=None, token=None):
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, answer.read().decode())
    except urllib.error.HTTPError as refused:
        return Answer(refused.code, refused.read().decode())


class City:
    """The accounts that `seed-demo` made, one customer and its cleaners, and what they do."""

    def __init__(self, url, seeded):
        self.url = url
        emails = re.findall(r"\S+@demo\.example", seeded)
        self.customer = self.token(next(it for it in emails if it.startswith("customer")))
        first = next(it for it in emails if it.startswith("cleaner0."))
        # It prints the first of each kind; the second is called as the first.
        self.cleaners = [first, first.replace("cleaner0.", "cleaner1.")]

    def token(self, email):
        return self.call("POST", "/v1/auth/login", {"email": email, "password": PASSWORD})["access_token"]

    def call(self, method, path, body=None, token=None):
        answer = ask(method, self.url + path, body, token)
        if answer.status not in (200, 201):
            raise SystemExit(f"{method} {path} answers {answer.status}: {answer.text}")
        return answer.json()

    def book(self, cleaner):
        provider = self.call("GET", "/v1/me/provider", token=cleaner)["id"]
        start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=130)
        window = {"start": start.isoformat(), "end": (start + datetime.timedelta(minutes=150)).isoformat()}
        place = {"lines": ["1 rue de la Paix"], "postcode": "75002", "city": "Paris", "country": "FR", **DOOR}
        details = {"type": "standard", "rooms": 2, "bathrooms": 1, "extras": [{"code": "oven", "quantity": 1}]}
        wanted = {"vertical": "cleaning", "provider_id": provider, "details": details, "window": window, "address": place}
        quote = self.call("POST", "/v1/quotes", wanted, self.customer)
        order = self.call("POST", "/v1/orders", {"quote_id": quote["id"]}, self.customer)
        return f"/v1/orders/{order['id']}"

    def book_and_finish(self):
        """Books a cleaner who has no order yet, and goes on to the review."""
        cleaner = self.token(self.cleaners.pop(0))
        self.call("POST", "/v1/paymentMethods", {"token": "tok_ok"}, self.customer)
        order = self.book(cleaner)

        def act(name, body=None):
            return self.call("POST", f"{order}{name}", body or {}, cleaner)["state" if name.startswith(":") else "kind"]

        act(":accept")
        act(":depart")
        act(":arrive", {"position": DOOR})
        code = self.call("GET", order, token=self.customer)["start_code"]
        act(":start", {"start_code": code})
        items = self.call("GET", f"{order}/checklist", token=cleaner)["items"]
        done = {"items": [{"code": it["code"], "done": True} for it in items]}
        self.call("PATCH", f"{order}/checklist", done, cleaner)
        for kind in ("photo.before", "photo.after"):
            act("/proofs", {"kind": kind, "sha256": hashlib.sha256(kind.encode()).hexdigest()})
        assert act(":deliver") == "ORDER_STATE_DELIVERED"
        accepted = self.call("POST", f"{order}:acceptDelivery", {}, self.customer)
        assert accepted["state"] == "ORDER_STATE_COMPLETED", accepted
        self.call("POST", f"{order}:review", {"stars": 5, "text": "Impeccable."}, self.customer)
