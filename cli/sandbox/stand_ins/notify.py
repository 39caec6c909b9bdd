"""Services for messages to people: one address of Apprise's that stands for all."""

from cli.sandbox.stand_in import Said, StandIn

STAND_INS = {
    "notify": StandIn(
        {}, {"POST /": Said(json={"received": True})}, address=lambda url: {"url": url.replace("http://", "json://", 1)}
    ),
}
