"""Numbers with an origin: quoted from the paper, from a data sheet, or recorded once with date, machine and command."""
