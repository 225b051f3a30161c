"""Countries: their capitals, continents, languages and money."""

from __future__ import annotations

__all__ = ["CAPITALS", "CONTINENTS", "CURRENCIES", "LANGUAGES"]


def _pairs(text: str) -> dict[str, str]:
    return dict(entry.strip().split(": ") for entry in text.strip().split("|"))


CAPITALS = _pairs(
    "France: Paris|Germany: Berlin|Spain: Madrid|Italy: Rome|England: London|the United Kingdom: London|"
    "the UK: London|Ireland: Dublin|"
    "Scotland: Edinburgh|Wales: Cardiff|Portugal: Lisbon|Poland: Warsaw|Austria: Vienna|Switzerland: Bern|"
    "Greece: Athens|Turkey: Ankara|"
    "Russia: Moscow|Sweden: Stockholm|Norway: Oslo|Denmark: Copenhagen|Finland: Helsinki|Iceland: Reykjavik|"
    "Hungary: Budapest|"
    "Ukraine: Kyiv|Romania: Bucharest|Bulgaria: Sofia|Serbia: Belgrade|Croatia: Zagreb|Slovenia: Ljubljana|"
    "Slovakia: Bratislava|"
    "the Czech Republic: Prague|Estonia: Tallinn|Latvia: Riga|Lithuania: Vilnius|Belarus: Minsk|Albania: Tirana|"
    "Belgium: Brussels|"
    "the Netherlands: Amsterdam|Malta: Valletta|Cyprus: Nicosia|Egypt: Cairo|Kenya: Nairobi|Morocco: Rabat|"
    "Tunisia: Tunis|Algeria: Algiers|"
    "Nigeria: Abuja|Ghana: Accra|Ethiopia: Addis Ababa|Senegal: Dakar|Uganda: Kampala|Israel: Jerusalem|"
    "Lebanon: Beirut|Syria: Damascus|"
    "Iraq: Baghdad|Iran: Tehran|Saudi Arabia: Riyadh|Qatar: Doha|Afghanistan: Kabul|Pakistan: Islamabad|"
    "India: New Delhi|Nepal: Kathmandu|"
    "Bangladesh: Dhaka|Japan: Tokyo|China: Beijing|South Korea: Seoul|North Korea: Pyongyang|Mongolia: Ulaanbaatar|"
    "Thailand: Bangkok|"
    "Vietnam: Hanoi|Indonesia: Jakarta|Malaysia: Kuala Lumpur|the Philippines: Manila|Australia: Canberra|"
    "New Zealand: Wellington|"
    "Canada: Ottawa|the United States: Washington|the USA: Washington|the US: Washington|Mexico: Mexico City|"
    "Brazil: Brasilia|"
    "Argentina: Buenos Aires|Chile: Santiago|Peru: Lima|Cuba: Havana|Colombia: Bogota|Venezuela: Caracas|"
    "Ecuador: Quito|Uruguay: Montevideo|"
    "Bolivia: La Paz|Jamaica: Kingston"
)
"""Country -> capital."""

CONTINENTS = _pairs(
    "France: Europe|Germany: Europe|Spain: Europe|Italy: Europe|England: Europe|Ireland: Europe|Portugal: Europe|"
    "Poland: Europe|Austria: Europe|"
    "Greece: Europe|Sweden: Europe|Norway: Europe|Denmark: Europe|Finland: Europe|Belgium: Europe|Hungary: Europe|"
    "Switzerland: Europe|Egypt: Africa|"
    "Kenya: Africa|Morocco: Africa|Nigeria: Africa|Ghana: Africa|Ethiopia: Africa|Algeria: Africa|Japan: Asia|"
    "China: Asia|India: Asia|Thailand: Asia|"
    "Vietnam: Asia|South Korea: Asia|Nepal: Asia|Iran: Asia|Iraq: Asia|Brazil: South America|"
    "Argentina: South America|Chile: South America|"
    "Peru: South America|Colombia: South America|Ecuador: South America|Canada: North America|Mexico: North America|"
    "Cuba: North America"
)
"""Country -> continent."""

LANGUAGES = _pairs(
    "France: French|Germany: German|Austria: German|Spain: Spanish|Mexico: Spanish|Argentina: Spanish|Chile: Spanish|"
    "Italy: Italian|"
    "Portugal: Portuguese|Brazil: Portuguese|England: English|Australia: English|Poland: Polish|Russia: Russian|"
    "Japan: Japanese|China: Chinese|"
    "Greece: Greek|Sweden: Swedish|Norway: Norwegian|Denmark: Danish|Finland: Finnish|Hungary: Hungarian|"
    "Turkey: Turkish|Egypt: Arabic"
)
"""Country -> language."""

CURRENCIES = _pairs(
    "Japan: yen|Germany: euro|France: euro|Italy: euro|Spain: euro|Austria: euro|England: pound|Switzerland: franc|"
    "Russia: ruble|India: rupee|"
    "China: yuan|Brazil: real|Mexico: peso|Poland: zloty|Canada: dollar|Australia: dollar|Turkey: lira|Sweden: krona"
)
"""Country -> money."""
