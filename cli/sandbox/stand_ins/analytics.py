"""Providers of analytics."""

from cli.sandbox.stand_in import Said, StandIn

STAND_INS = {
    "segment": StandIn(
        {"write_key": "sandbox"},
        {"POST /v1/*": Said(json={"success": True})},
        key=lambda call: str(call.json()["messageId"]),
    ),
    "mixpanel": StandIn(
        {"username": "sandbox.mp-service-account", "secret": "sandbox", "project_id": "1"},
        {"POST /import": Said(json={"code": 200, "num_records_imported": 1, "status": "OK"})},
        key=lambda call: str(call.json()[0]["properties"]["$insert_id"]),
    ),
    "amplitude": StandIn(
        {"api_key": "sandbox"},
        {"POST /2/httpapi": Said(json={"code": 200, "events_ingested": 1})},
        key=lambda call: str(call.json()["events"][0]["insert_id"]),
    ),
}
