"""`mcp`: audits in a conversation, as tools of the Model Context Protocol.

The program that calls these tools is usually a language model, whose words may come from a web page
or from an image's caption. So a tool takes names of what the server was started with and no places,
reads and writes nothing, and returns texts of runs as capped fields of data.
"""
