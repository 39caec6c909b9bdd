"""Providers of payments."""

from typing import Any

from cli.sandbox.stand_in import Call, Earlier, Said, StandIn


def _intent(call: Call, _: Earlier) -> Said:
    form = call.form
    if form.get("payment_method", "").endswith("chargeDeclined"):
        error = {"type": "card_error", "code": "card_declined", "decline_code": "generic_decline"}
        return Said(402, {"error": {**error, "message": "Your card was declined."}})
    paid, amount = form.get("confirm") == "true", int(form["amount"])
    status = {"status": "succeeded", "amount_received": amount} if paid else {"status": "requires_confirmation"}
    charge = call.id("ch_") if paid else None
    made = {"id": call.id("pi_"), "object": "payment_intent", "amount": amount, "currency": form["currency"]}
    return Said(json={**made, **status, "customer": form.get("customer"), "latest_charge": charge})


def _stripe_refund(call: Call, _: Earlier) -> Said:
    form = call.form
    what = {name: form.get(name) for name in ("payment_intent", "charge")}
    return Said(json={"id": call.id("re_"), "object": "refund", "status": "succeeded", "amount": form.get("amount"), **what})


def _customer(call: Call, _: Earlier) -> Said:
    return Said(json={"id": call.id("cus_"), "object": "customer", **call.form})


def _capture(call: Call, status: str = "COMPLETED") -> list[dict[str, Any]]:
    return [{"payments": {"captures": [{"id": call.id("2GG", 14), "status": status}]}}]


def _order(call: Call, _: Earlier) -> Said:
    name = call.id("5O1", 14)
    if "payment_source" in call.json():
        return Said(201, {"id": name, "status": "COMPLETED", "purchase_units": _capture(call)})
    approve = {"rel": "approve", "href": f"https://www.sandbox.paypal.com/checkoutnow?token={name}", "method": "GET"}
    return Said(201, {"id": name, "status": "CREATED", "links": [approve]})


def _captured(call: Call, _: Earlier) -> Said:
    return Said(201, {"id": call.path.split("/")[-2], "status": "COMPLETED", "purchase_units": _capture(call)})


def _paypal_refund(call: Call, _: Earlier) -> Said:
    return Said(201, {"id": call.id("1JU", 14), "status": "COMPLETED", "amount": call.json().get("amount")})


def _payment(call: Call, _: Earlier) -> Said:
    body = call.json()
    if body["source_id"].endswith("declined"):
        error = {"category": "PAYMENT_METHOD_ERROR", "code": "CARD_DECLINED", "detail": "Card declined."}
        return Said(402, {"errors": [error]})
    return Said(json={"payment": {"id": call.id("pay"), "status": "COMPLETED", "amount_money": body["amount_money"]}})


def _square_refund(call: Call, _: Earlier) -> Said:
    body = call.json()
    kept = {name: body[name] for name in ("payment_id", "amount_money")}
    return Said(json={"refund": {"id": call.id("ref"), "status": "PENDING", **kept}})


def _square_key(call: Call) -> str | None:
    return call.json().get("idempotency_key") if call.body else None


STAND_INS = {
    "stripe": StandIn(
        {"api_key": "sk_test_sandbox"},
        {
            "POST /v1/payment_intents": _intent,
            "POST /v1/refunds": _stripe_refund,
            "POST /v1/customers": _customer,
            "GET /v1/balance": Said(json={"object": "balance", "available": [], "pending": []}),
        },
        key=lambda call: call.headers.get("idempotency-key"),
    ),
    "paypal": StandIn(
        {"client_id": "sandbox", "client_secret": "sandbox"},
        {
            "POST /v1/oauth2/token": Said(json={"access_token": "sandbox", "token_type": "Bearer", "expires_in": 32400}),
            "POST /v2/checkout/orders": _order,
            "POST /v2/checkout/orders/*/capture": _captured,
            "POST /v2/payments/captures/*/refund": _paypal_refund,
        },
        key=lambda call: call.headers.get("paypal-request-id"),
    ),
    "square": StandIn(
        {"access_token": "EAAAsandbox"},
        {
            "POST /v2/payments": _payment,
            "POST /v2/payments/*": Said(json={"payment": {"id": "pay", "status": "CANCELED"}}),
            "GET /v2/payments*": Said(json={"payments": []}),
            "POST /v2/refunds": _square_refund,
            "GET /v2/locations": Said(json={"locations": []}),
        },
        key=_square_key,
    ),
}
