"""The options that say which jobs are meant, the same wherever jobs are found."""

from typing import Annotated

import typer

Text = str | None
State = Annotated[Text, typer.Option(help="scheduled, queued, running, succeeded, failed, …")]
Task = Annotated[Text, typer.Option(help="Only of this task.")]
Queue = Annotated[Text, typer.Option(help="Only of this queue.")]
Account = Annotated[Text, typer.Option(help="Only of this provider's account.")]
Tag = Annotated[list[str] | None, typer.Option(help="Only with this tag; may be given more than once.")]
Meta = Annotated[list[str] | None, typer.Option(help="Only with name=value; may be given more than once.")]
Error = Annotated[Text, typer.Option(help="Only with this class of error.")]
Words = Annotated[Text, typer.Option("--text", help="Only with this in the payload, the result or the error.")]
After = Annotated[Text, typer.Option(help="Only those accepted since (RFC 3339).")]
Before = Annotated[Text, typer.Option(help="Only those accepted before.")]
