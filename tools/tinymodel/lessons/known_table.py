"""The functions that many programs have: a table of words, parameters and requests."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KNOWN", "Known"]


@dataclass(frozen=True)
class Known:
    """A function: its words, keywords, description, parameters (key -> kind, `?` for optional) and requests."""

    parts: str
    nouns: str
    description: str
    parameters: dict[str, str]
    texts: tuple[str, ...]


_WEATHER = (
    *("What is the weather in {city}?", "What's the weather like in {city}?", "How is the weather in {city} today?"),
    *("Weather in {city}", "weather in {city}?", "Is it raining in {city}?", "What is the temperature in {city}?"),
    *("Tell me the weather in {city}.", "Is it cold in {city}?", "How warm is it in {city}?", "Weather for {city}"),
    *(
        "What's the weather in {city} right now?",
        "Do I need an umbrella in {city}?",
        "{city} weather",
        "Is it sunny in {city}?",
    ),
    *("What's the temperature in {city}?", "How hot is it in {city} now?", "Give me the weather forecast for {city}."),
    *(
        "What is the weather like today in {city}?",
        "Can you check the weather in {city}?",
        "what is the weather in {city}",
    ),
)
KNOWN = (
    Known("get weather", "weather temperature rain cold", "Get the weather in a city", {"city": "place"}, _WEATHER),
    Known(
        "get current weather",
        "weather temperature",
        "Get the current weather in a given location",
        {"city": "place", "unit": "unit?"},
        (
            *_WEATHER[:8],
            *("What is the weather like in {city} in {unit}?", "What's the weather in {city}? Use {unit}."),
            *(
                "How is the weather in {city} in {unit}?",
                "Temperature in {city} in {unit}",
                "Weather in {city} ({unit})",
            ),
        ),
    ),
    Known(
        "get time",
        "time",
        "Tells the time in a city",
        {"city": "place"},
        (
            *(
                "What time is it in {city}?",
                "What is the time in {city}?",
                "Tell me the time in {city}.",
                "Time in {city}?",
            ),
            *("What's the current time in {city}?", "How late is it in {city}?", "Current time in {city}"),
        ),
    ),
    Known(
        "add numbers",
        "add plus sum",
        "Adds two numbers",
        {"a": "integer", "b": "integer"},
        (
            "What is {a} + {b}?",
            "Add {a} and {b}.",
            "Add {a} to {b}.",
            "What is {a} plus {b}?",
            "Compute {a} + {b}",
            "{a}+{b}",
        ),
    ),
    Known(
        "multiply",
        "times multiply",
        "Multiply two numbers",
        {"a": "integer", "b": "integer"},
        ("What is {a} times {b}?", "Multiply {a} by {b}.", "Multiply {a} and {b}.", "What is {a} * {b}?", "{a} x {b}"),
    ),
    Known(
        "calculate",
        "calculate compute",
        "Evaluates an arithmetic expression",
        {"expression": "expression"},
        (
            "Calculate {expression}.",
            "What is {expression}?",
            "Compute {expression}",
            "Evaluate {expression}",
            "{expression} = ?",
        ),
    ),
    Known(
        "search web",
        "search web find pages",
        "Search the web",
        {"query": "text"},
        (
            *("Search for {query}.", "Search the web for {query}", "Find pages about {query}.", "Look up {query}."),
            *(
                "Google {query}",
                "What does the web say about {query}?",
                "search {query}",
                "Find information about {query}",
            ),
        ),
    ),
    Known(
        "send email",
        "email mail",
        "Sends an email",
        {"to": "email", "subject": "text", "body": "text?"},
        (
            *(
                "Send an email to {to} about {subject}.",
                "Email {to} about {subject}.",
                "Send {to} a mail with the subject {subject}",
            ),
            *("Write an email to {to}: {subject}", "Send an email to {to} with subject {subject} and body {body}."),
            "Mail {to}. Subject: {subject}. Body: {body}.",
        ),
    ),
    Known(
        "send message",
        "message text tell",
        "Sends a message to a person",
        {"recipient": "name", "text": "text"},
        (
            "Send {recipient} the message {text}.",
            "Tell {recipient} {text}.",
            "Text {recipient}: {text}",
            "Message {recipient}: {text}",
        ),
    ),
    Known(
        "create event",
        "event calendar meeting",
        "Creates a calendar event",
        {"title": "text", "date": "date", "time": "time?"},
        (
            *(
                "Create an event {title} on {date}.",
                "Add {title} to my calendar on {date}.",
                "Schedule {title} for {date}.",
            ),
            *("Schedule {title} on {date} at {time}.", "Book a meeting called {title} on {date} at {time}."),
            "Put {title} in the calendar for {date} at {time}",
        ),
    ),
    Known(
        "set timer",
        "timer wake",
        "Sets a timer",
        {"minutes": "integer"},
        (
            "Set a timer for {minutes} minutes.",
            "Wake me in {minutes} minutes.",
            "Timer: {minutes} minutes",
            "{minutes} minute timer",
        ),
    ),
    Known(
        "set reminder",
        "remind reminder",
        "Sets a reminder",
        {"text": "text", "date": "date"},
        ("Remind me of {text} on {date}.", "Set a reminder for {text} on {date}", "On {date} remind me of {text}."),
    ),
    Known(
        "set light",
        "light lights lamp",
        "Switches a light",
        {"room": "text", "on": "flag"},
        (
            *("Set the light in {room} to {on}.", "Light in the {room}: {on}", "Switch the light {on} in {room}."),
            *(
                "Turn {on} the light in the {room}.",
                "Turn the lights {on} in the {room}",
                "turn {on} the lamp in {room}",
            ),
        ),
    ),
    Known(
        "get stock price",
        "stock price",
        "Gets the price of a stock",
        {"symbol": "code"},
        (
            "What is the stock price of {symbol}?",
            "How much is {symbol} stock?",
            "Price of {symbol}",
            "Stock price for {symbol}?",
        ),
    ),
    Known(
        "convert currency",
        "convert money exchange",
        "Converts money",
        {"amount": "integer", "from": "currency", "to": "currency"},
        (
            "Convert {amount} {from} to {to}.",
            "How much is {amount} {from} in {to}?",
            "Change {amount} {from} into {to}.",
            "{amount} {from} in {to}",
        ),
    ),
    Known(
        "translate",
        "translate",
        "Translates text",
        {"text": "text", "language": "language"},
        (
            "Translate {text} into {language}.",
            "Translate '{text}' to {language}",
            "What is {text} in {language}?",
            "How do you say {text} in {language}?",
        ),
    ),
    Known(
        "play music",
        "play music song listen",
        "Plays a song of an artist",
        {"song": "text", "artist": "name?"},
        (
            "Play {song}.",
            "Play the song {song} by {artist}.",
            "I want to hear {song} by {artist}",
            "Play {song} from {artist}",
            "play {song}",
        ),
    ),
    Known(
        "book flight",
        "flight fly",
        "Books a flight",
        {"origin": "place", "destination": "place", "date": "date?"},
        (
            *(
                "Book a flight from {origin} to {destination}.",
                "I want to fly from {origin} to {destination} on {date}.",
            ),
            *("Flight from {origin} to {destination} on {date}", "Book me a flight to {destination} from {origin}."),
        ),
    ),
    Known(
        "book hotel",
        "hotel room",
        "Books a hotel room",
        {"city": "place", "nights": "integer"},
        (
            "Book a hotel in {city} for {nights} nights.",
            "I need a room in {city} for {nights} nights.",
            "Hotel in {city}, {nights} nights",
        ),
    ),
    Known(
        "read file",
        "file read open",
        "Reads a file",
        {"path": "path"},
        (
            "Read {path}.",
            "Read the file {path}",
            "Open {path}",
            "What is in {path}?",
            "Show me the file {path}.",
            "cat {path}",
        ),
    ),
    Known(
        "write file",
        "file write save",
        "Writes text to a file",
        {"path": "path", "content": "text"},
        ("Write {content} to {path}.", "Save {content} in {path}", "Put {content} into the file {path}."),
    ),
    Known(
        "run code",
        "code run python execute",
        "Runs Python code",
        {"code": "script"},
        (
            "Run {code}",
            "Run this code: {code}",
            "Execute {code}",
            "What does {code} print?",
            "Run this in Python:\n{code}",
        ),
    ),
    Known(
        "get capital",
        "capital",
        "The capital of a country",
        {"country": "place"},
        ("What is the capital of {country}?", "Tell me the capital of {country}.", "Capital of {country}?"),
    ),
    Known(
        "get user",
        "user profile",
        "Get a user by id",
        {"user_id": "code"},
        (
            "Get the user {user_id}.",
            "Who is user {user_id}?",
            "Show user {user_id}",
            "Find the user with the id {user_id}.",
        ),
    ),
    Known(
        "get order status",
        "order",
        "Get the status of an order",
        {"order_id": "code"},
        (
            "Where is my order {order_id}?",
            "What is the status of order {order_id}?",
            "Has order {order_id} been sent?",
            "Track order {order_id}",
        ),
    ),
    Known(
        "schedule meeting",
        "meeting schedule",
        "Schedules a meeting with people at a given time and date.",
        {"attendees": "names", "date": "date", "time": "time", "topic": "text"},
        (
            "Schedule a meeting with {attendees} for {date} at {time} about {topic}.",
            "Schedule a meeting with {attendees} on {date} at {time} about the {topic}.",
            "Meeting with {attendees} on {date}, {time}: {topic}",
        ),
    ),
    Known(
        "get horoscope",
        "horoscope sign",
        "Get today's horoscope for an astrological sign.",
        {"sign": "sign"},
        (
            "What is my horoscope? I am an {sign}.",
            "What is the horoscope for {sign}?",
            "I am {sign}. What is my horoscope?",
        ),
    ),
    Known(
        "get delivery date",
        "delivery order",
        "Get the delivery date for an order",
        {"order_id": "code"},
        (
            "Hi, can you tell me the delivery date for my order {order_id}?",
            "When will order {order_id} be delivered?",
            "Delivery date for {order_id}?",
        ),
    ),
    Known(
        "get population",
        "population people",
        "Get the population of a country or city",
        {"location": "place"},
        ("What is the population of {location}?", "How many people live in {location}?", "Population of {location}"),
    ),
    Known(
        "get current temperature",
        "temperature weather",
        "Gets the current temperature for a given location.",
        {"location": "place"},
        (
            "What's the temperature in {location}?",
            "What is the temperature in {location} today?",
            "How warm is it in {location}?",
            "temperature in {location}",
        ),
    ),
    Known("ping", "server", "Checks that the server is there", {}, ("Call ping.", "Use ping.", "Is the server there?")),
    Known(
        "get date",
        "date today day",
        "Tells the date of today",
        {},
        ("What day is it today?", "What is the date today?", "Which date is it?"),
    ),
)
