"""The OTLP receiver: engines and agents export to it, and what they say of one call becomes one."""
