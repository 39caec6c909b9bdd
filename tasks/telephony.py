"""Text messages and voice calls, as every provider of telephony takes them."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from tasks.capability import Capability
from tasks.fields import Shape
from tasks.provider import Payload

PhoneNumber = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$"), Field(examples=["+4915123456789"])]
"""A number in the form of E.164."""

Sender = Annotated[str, StringConstraints(pattern=r"^(\+[1-9][0-9]{6,14}|[A-Za-z0-9][A-Za-z0-9 ]{0,10})$")]
"""Who a text message is from: a number, a short code, or a name where the country allows it."""

Spoken = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*\S[^\x00-\x08\x0b-\x1f\x7f]*$", max_length=1500)
]
"""Text of one or several lines."""


class Text(Shape):
    """A text message."""

    to: PhoneNumber = Field(description="in the form of E.164")
    sender: Annotated[Sender, Field(alias="from", description="a number, a short code, or a name of at most 11 characters")]
    text: Spoken = Field(description="it is split, and billed, by 160 characters; by 70 if one of them is not in GSM 03.38")


class Sms(Text, Payload):
    """A text message, and whose credentials send it."""


class Speech(Shape):
    """A voice call that says a text and ends."""

    to: PhoneNumber = Field(description="in the form of E.164")
    sender: Annotated[PhoneNumber, Field(alias="from", description="one of the account's numbers")]
    text: Spoken
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}-[A-Z]{2}$")] = "en-US"


class Call(Speech, Payload):
    """A voice call, and whose credentials make it."""


SMS: dict[str, Any] = {"to": "+15005550010", "from": "+15005550006", "text": "Your parcel is at the door."}
CALL: dict[str, Any] = {"to": "+15005550010", "from": "+15005550006", "text": "Your server is down. Please look."}

sms_send = Capability.of("sms.send", Text, "Send a text message by the first account that can.", alike=True, example=SMS)
voice_call = Capability.of(
    "voice.call", Speech, "Call a number and say a text, by the first account that can.", alike=True, example=CALL
)
