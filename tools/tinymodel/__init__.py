"""Makes the models that ship with localaik (text, vision, embedding) from data that this package generates."""
