"""What every lab, figure and check is made of. No chapter is in it."""
