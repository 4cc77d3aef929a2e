"""The detection benchmark's own parts: streams have the properties they claim, measures are what their names say."""
