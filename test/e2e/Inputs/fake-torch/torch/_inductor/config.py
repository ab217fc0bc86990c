freezing = False
