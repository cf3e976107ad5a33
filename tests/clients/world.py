"""What `check.py` hands to each client: where the program runs, who books, and what."""

import json
import os
from typing import Any

WORLD: dict[str, str] = json.loads(os.environ["QS_TEST_WORLD"])
DETAILS: dict[str, Any] = {
    "type": "standard", "rooms": 2, "bathrooms": 1, "extras": [{"code": "oven", "quantity": 1}],
}
ADDRESS: dict[str, Any] = {
    "lines": ["1 rue de la Paix"], "postcode": "75002", "city": "Paris", "country": "FR", "lat": 48.8566, "lng": 2.3522,
}
