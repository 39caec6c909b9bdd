"""SendGrid's Event Webhook: ECDSA over time and body.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

from api.hooks.keys import check_ecdsa, ecdsa
from api.hooks.post import Post, Setup, Told, instant, job_id, kind, text, word
from api.hooks.proof import fresh
from jobs.errors import Invalid


@kind("sendgrid", "the verification key, as SendGrid shows it (base64)", usable=check_ecdsa)
def sendgrid(post: Post, setup: Setup) -> list[Told]:
    """A batch of events. Those of our own sends carry the job's id, as `custom_args` come back flat."""
    time = post.header("x-twilio-email-event-webhook-timestamp")
    ecdsa(setup.secrets, post.header("x-twilio-email-event-webhook-signature"), time.encode() + post.body)
    fresh(time)
    events = post.json()
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise Invalid.at("", "An array of events is wanted.")
    return [
        Told(
            word(event.get("event")),
            text(event.get("sg_event_id"), f"{post.digest}-{at}"),
            event,
            text(event.get("email")) or None,
            instant(event.get("timestamp")),
            job_id(event.get("job_id")),
        )
        for at, event in enumerate(events)
    ]
