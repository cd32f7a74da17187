"""The ground of everything that sends more than once: tasks, pace, ports, repetition, reports."""
