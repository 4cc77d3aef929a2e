"""A sample of one model's past events, read from the predictions' topics for a reference."""

from consumers.learn.learning import LearnedEvents, LearnRequest, learn_events

__all__ = ["LearnRequest", "LearnedEvents", "learn_events"]
