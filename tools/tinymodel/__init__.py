"""Makes the models that ship with localaik: text, vision projector and embedding, from data that this package generates."""
