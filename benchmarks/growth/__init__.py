"""Does a message cost more when there are more stations, or years of history? (docs/scaling.md)"""
