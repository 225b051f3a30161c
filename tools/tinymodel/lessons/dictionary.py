"""Small dictionaries: translations into five languages, opposites and irregular plurals."""

from __future__ import annotations

__all__ = ["IRREGULAR_PLURALS", "LANGUAGES", "OPPOSITES", "TRANSLATIONS", "plural_of"]

LANGUAGES = ("French", "German", "Spanish", "Italian", "Portuguese")
"""The order of the columns of `TRANSLATIONS`."""


def _table(text: str) -> dict[str, tuple[str, ...]]:
    rows = (line.split(" | ") for line in text.strip().splitlines())
    return {english: tuple(others) for english, *others in rows}


def _pairs(text: str) -> dict[str, str]:
    return dict(entry.split(":") for entry in text.split())


TRANSLATIONS = _table(
    """
hello | Bonjour | Hallo | Hola | Ciao | Olá
good morning | Bonjour | Guten Morgen | Buenos días | Buongiorno | Bom dia
good evening | Bonsoir | Guten Abend | Buenas tardes | Buonasera | Boa tarde
good night | Bonne nuit | Gute Nacht | Buenas noches | Buonanotte | Boa noite
goodbye | Au revoir | Auf Wiedersehen | Adiós | Arrivederci | Adeus
thank you | Merci | Danke | Gracias | Grazie | Obrigado
please | S'il vous plaît | Bitte | Por favor | Per favore | Por favor
yes | Oui | Ja | Sí | Sì | Sim
no | Non | Nein | No | No | Não
sorry | Désolé | Entschuldigung | Lo siento | Scusa | Desculpe
I love you | Je t'aime | Ich liebe dich | Te quiero | Ti amo | Eu te amo
how are you? | Comment ça va ? | Wie geht es dir? | ¿Cómo estás? | Come stai? | Como vai?
welcome | Bienvenue | Willkommen | Bienvenido | Benvenuto | Bem-vindo
hello world | Bonjour le monde | Hallo Welt | Hola mundo | Ciao mondo | Olá mundo
thank you very much | Merci beaucoup | Vielen Dank | Muchas gracias | Grazie mille | Muito obrigado
see you tomorrow | À demain | Bis morgen | Hasta mañana | A domani | Até amanhã
happy birthday | Joyeux anniversaire | Alles Gute zum Geburtstag | Feliz cumpleaños | Buon compleanno | Parabéns
good afternoon | Bon après-midi | Guten Tag | Buenas tardes | Buon pomeriggio | Boa tarde
I am hungry | J'ai faim | Ich habe Hunger | Tengo hambre | Ho fame | Estou com fome
what is your name? | Comment tu t'appelles ? | Wie heißt du? | ¿Cómo te llamas? | Come ti chiami? | Como você se chama?
cat | chat | Katze | gato | gatto | gato
dog | chien | Hund | perro | cane | cachorro
horse | cheval | Pferd | caballo | cavallo | cavalo
bird | oiseau | Vogel | pájaro | uccello | pássaro
fish | poisson | Fisch | pez | pesce | peixe
water | eau | Wasser | agua | acqua | água
bread | pain | Brot | pan | pane | pão
milk | lait | Milch | leche | latte | leite
cheese | fromage | Käse | queso | formaggio | queijo
wine | vin | Wein | vino | vino | vinho
coffee | café | Kaffee | café | caffè | café
apple | pomme | Apfel | manzana | mela | maçã
house | maison | Haus | casa | casa | casa
car | voiture | Auto | coche | macchina | carro
book | livre | Buch | libro | libro | livro
tree | arbre | Baum | árbol | albero | árvore
sun | soleil | Sonne | sol | sole | sol
moon | lune | Mond | luna | luna | lua
day | jour | Tag | día | giorno | dia
night | nuit | Nacht | noche | notte | noite
man | homme | Mann | hombre | uomo | homem
woman | femme | Frau | mujer | donna | mulher
friend | ami | Freund | amigo | amico | amigo
mother | mère | Mutter | madre | madre | mãe
father | père | Vater | padre | padre | pai
world | monde | Welt | mundo | mondo | mundo
city | ville | Stadt | ciudad | città | cidade
school | école | Schule | escuela | scuola | escola
red | rouge | rot | rojo | rosso | vermelho
green | vert | grün | verde | verde | verde
blue | bleu | blau | azul | blu | azul
yellow | jaune | gelb | amarillo | giallo | amarelo
black | noir | schwarz | negro | nero | preto
white | blanc | weiß | blanco | bianco | branco
one | un | eins | uno | uno | um
two | deux | zwei | dos | due | dois
three | trois | drei | tres | tre | três
four | quatre | vier | cuatro | quattro | quatro
five | cinq | fünf | cinco | cinque | cinco
six | six | sechs | seis | sei | seis
seven | sept | sieben | siete | sette | sete
eight | huit | acht | ocho | otto | oito
nine | neuf | neun | nueve | nove | nove
ten | dix | zehn | diez | dieci | dez
"""
)
"""English -> the words in each of `LANGUAGES`."""

OPPOSITES = _pairs(
    "hot:cold big:small good:bad up:down left:right black:white day:night yes:no old:young happy:sad fast:slow "
    "open:closed high:low wet:dry "
    "true:false full:empty light:dark early:late easy:difficult rich:poor strong:weak long:short thick:thin "
    "loud:quiet hard:soft clean:dirty "
    "near:far first:last love:hate win:lose buy:sell give:take push:pull start:stop begin:end man:woman boy:girl "
    "king:queen brother:sister "
    "mother:father son:daughter summer:winter north:south east:west above:below before:after inside:outside "
    "always:never all:none "
    "many:few more:less question:answer friend:enemy peace:war life:death heaven:hell sweet:sour beautiful:ugly "
    "cheap:expensive "
    "deep:shallow brave:afraid safe:dangerous public:private same:different right:wrong "
)
"""Word -> its opposite."""

IRREGULAR_PLURALS = _pairs(
    "mouse:mice man:men woman:women child:children foot:feet tooth:teeth goose:geese person:people ox:oxen "
    "wolf:wolves leaf:leaves knife:knives "
    "life:lives wife:wives half:halves shelf:shelves thief:thieves loaf:loaves sheep:sheep fish:fish deer:deer "
    "potato:potatoes tomato:tomatoes "
    "hero:heroes "
)
"""Nouns whose plural has a form of its own."""


def plural_of(noun: str) -> str:
    """The plural of an English noun, regular unless it is in `IRREGULAR_PLURALS`."""
    if noun in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[noun]
    if noun.endswith(("s", "x", "ch", "sh", "z")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"
