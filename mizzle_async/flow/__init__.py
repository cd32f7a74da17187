"""What everything shares that sends more than once: tasks, pace, ports, reports."""
