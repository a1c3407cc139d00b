"""What people and programs look at: the receipt of a task, the summary of all, and both as JSON.

Importing this costs little: pydantic is loaded by the first ``report()``, rich by the first terminal.
"""

from touchdown.report.overview import SummaryView as SummaryView
from touchdown.report.receipt import Receipt as Receipt
from touchdown.report.render import show as show
