"""The detection benchmark's own parts: streams have the properties they claim, measures are what they say."""
