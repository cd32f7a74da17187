"""Workers: one piece of bulk work in parts, done by processes of this machine that are spawned for it."""
