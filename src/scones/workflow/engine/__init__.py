"""Runs Amazon States Language machines on one machine, durably.

Every state change is in a SQLite journal before it takes effect: a process that is killed goes on where
it was, and what has ended never runs again. The engine knows states and JSON, nothing else.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> greet = load({
    ...     "StartAt": "Greet",
    ...     "States": {
    ...         "Greet": {
    ...             "Type": "Task",
    ...             "Resource": "arn:aws:states:::lambda:invoke",
    ...             "Parameters": {"FunctionName": "${Greeter}", "Payload.$": "$"},
    ...             "ResultSelector": {"text.$": "$.Payload"},
    ...             "End": True,
    ...         }
    ...     },
    ... }, {"Greeter": "greeter"})
    >>> def greeter(event, context):
    ...     return f"Hello, {event['name']}"
    >>> journal = Path(tempfile.mkdtemp()) / "journal.db"
    >>> with Engine(journal, {"greet": greet}, {"greeter": greeter}) as engine:
    ...     _ = engine.start("greet", {"name": "Ada"}, name="first")
    ...     [execution] = engine.wait("first")
    ...     [event.type for event in engine.history("first")][:3]
    ['ExecutionStarted', 'TaskStateEntered', 'TaskSucceeded']
    >>> execution.status, execution.output
    ('SUCCEEDED', {'text': 'Hello, Ada'})
    >>> with Journal.open_readonly(journal) as reader:
    ...     [(execution.machine, execution.name) for execution in reader.executions()]
    [('greet', 'first')]
"""

from scones.workflow.engine.clock import Clock, SystemClock
from scones.workflow.engine.definition import load
from scones.workflow.engine.engine import Engine
from scones.workflow.engine.failure import StartRefused, TaskTimedOut
from scones.workflow.engine.integrations import FunctionContext, Publish
from scones.workflow.engine.items import Listed, Objects
from scones.workflow.engine.journal import Journal
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.machine import StateMachine
from scones.workflow.engine.reader import JournalReader
from scones.workflow.engine.records import Event, Execution, ExecutionDetail, Status
from scones.workflow.engine.tasks import is_engine_token

__all__ = [
    "Clock",
    "Engine",
    "Event",
    "Execution",
    "ExecutionDetail",
    "FunctionContext",
    "Journal",
    "JournalReader",
    "Json",
    "Listed",
    "Objects",
    "Publish",
    "StartRefused",
    "StateMachine",
    "Status",
    "SystemClock",
    "TaskTimedOut",
    "is_engine_token",
    "load",
]
