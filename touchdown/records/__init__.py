"""The nouns: frozen facts that capture makes and that accounting, telemetry and reports read."""

from touchdown.records.agent import AgentRun as AgentRun
from touchdown.records.answer import AnswerView as AnswerView
from touchdown.records.call import Attempt as Attempt
from touchdown.records.call import CallStart as CallStart
from touchdown.records.call import ModelCall as ModelCall
from touchdown.records.call import Output as Output
from touchdown.records.call import ToolRequest as ToolRequest
from touchdown.records.clock import CallClock as CallClock
from touchdown.records.clock import GapBucket as GapBucket
from touchdown.records.clock import Mark as Mark
from touchdown.records.context import ContextShape as ContextShape
from touchdown.records.context import Segment as Segment
from touchdown.records.engine import EngineReport as EngineReport
from touchdown.records.engine import EngineTiming as EngineTiming
from touchdown.records.gap import Figure as Figure
from touchdown.records.gap import Gap as Gap
from touchdown.records.gap import Settled as Settled
from touchdown.records.provider import ProviderVerdict as ProviderVerdict
from touchdown.records.step import StepStart as StepStart
from touchdown.records.task import TaskOutcome as TaskOutcome
from touchdown.records.task import TaskRecord as TaskRecord
from touchdown.records.tool import ToolCall as ToolCall
from touchdown.records.usage import Completeness as Completeness
from touchdown.records.usage import ServerStep as ServerStep
from touchdown.records.usage import Usage as Usage
from touchdown.records.verdict import CallVerdict as CallVerdict
from touchdown.records.verdict import CostByClass as CostByClass
from touchdown.records.verdict import Miss as Miss

Record = ModelCall | ToolCall | AgentRun | TaskRecord
"""What a sink is given when something ended."""

Start = CallStart | StepStart | TaskRecord
"""What a sink is given when something began; a task begins as its own record without a duration."""

Later = TaskOutcome | EngineReport
"""What is told of a record by its id, perhaps long after it."""

Kept = Record | Later
"""What a journal keeps."""

Told = Kept | Gap | Settled
"""What a source of recorded work tells: records, and what it knows of those that are missing."""
