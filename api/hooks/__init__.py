"""Webhooks in: how each provider signs what it posts. One file a family; what they share stands in `post` and `proof`."""

from api.hooks import (
    eventgrid,
    github,
    linkedin,
    mailgun,
    meta,
    paypal,
    pubsub,
    secret,
    segment,
    sendgrid,
    sns,
    square,
    standard,
    stripe,
    twilio,
    vonage,
    x,
)
from api.hooks.post import KINDS, Greeting, Kind, Post, Setup, Told

__all__ = ["KINDS", "Greeting", "Kind", "Post", "Setup", "Told"]

_FAMILIES = (
    *(eventgrid, github, linkedin, mailgun, meta, paypal, pubsub, secret, segment, sendgrid, sns, square),
    *(standard, stripe, twilio, vonage, x),
)
