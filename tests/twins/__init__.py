"""Plain counterparts of what gpucrust does fast, written from the rules alone."""
