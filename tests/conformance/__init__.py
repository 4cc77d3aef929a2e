"""One suite per protocol, run on the fake and on the real thing: a fake must not answer what the real one cannot."""
