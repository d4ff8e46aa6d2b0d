//! Names, streets and towns of twelve locales, for masks that invent people.
//!
//! Written for this project: common first and last names on their own, streets of the kind that every town has, and towns that do
//! not exist. A name of a list may be somebody's; which one stands for whom is a keyed hash.

/// The words of one locale.
#[derive(Debug)]
pub(super) struct Locale {
    /// Its name, such as `de_DE`.
    pub(super) name: &'static str,
    /// First names.
    pub(super) first: &'static [&'static str],
    /// Last names.
    pub(super) last: &'static [&'static str],
    /// Streets.
    pub(super) streets: &'static [&'static str],
    /// Invented towns.
    pub(super) cities: &'static [&'static str],
    /// How a house number stands beside its street.
    pub(super) address: Address,
    /// Whether the last name stands first, without a space.
    pub(super) family_first: bool,
}

/// How a house number stands beside its street.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// `12 Oak Street`.
    NumberFirst,
    /// `Lindenstraße 12`.
    NumberLast,
    /// As one word.
    Joined,
}

/// The names of all locales.
pub(super) const NAMES: &[&str] =
    &["en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "pt_BR", "sv_SE", "tr_TR", "ja_JP"];

/// The locale of a name; the first for none.
pub(super) fn find(name: Option<&str>) -> &'static Locale {
    name.and_then(|name| LOCALES.iter().find(|locale| locale.name == name)).unwrap_or(&LOCALES[0])
}

/// Given and family names of every locale.
pub(super) fn names() -> impl Iterator<Item = (&'static [&'static str], &'static [&'static str])> {
    LOCALES.iter().map(|locale| (locale.first, locale.last))
}

// One word a line would be ten times as long.
#[rustfmt::skip]
static LOCALES: [Locale; 12] = [
    Locale {
        name: "en_US",
        first: &[
            "Aaron", "Abigail", "Adam", "Alice", "Amber", "Andrew", "Bella", "Brandon", "Brian", "Caleb", "Carol",
            "Chloe", "Daniel", "Diana", "Dylan", "Ella", "Emily", "Ethan", "Frank", "Grace", "Hannah", "Henry",
            "Isaac", "Ivy", "Jacob", "Jenna", "Kevin", "Laura", "Logan", "Mason", "Megan", "Nathan", "Olivia", "Paul",
            "Rachel", "Ryan", "Sarah", "Sean", "Tyler", "Zoe",
        ],
        last: &[
            "Adams", "Baker", "Barnes", "Brooks", "Butler", "Carter", "Clark", "Coleman", "Collins", "Cooper",
            "Davis", "Edwards", "Evans", "Fisher", "Foster", "Gibson", "Graham", "Griffin", "Harris", "Hayes",
            "Howard", "Hughes", "Jenkins", "Kelly", "Lewis", "Marshall", "Miller", "Morgan", "Murphy", "Nelson",
            "Parker", "Perry", "Porter", "Powell", "Reed", "Rogers", "Russell", "Stewart", "Turner", "Walker",
        ],
        streets: &[
            "Maple Avenue", "Oak Street", "Cedar Lane", "Elm Drive", "Pine Road", "Birch Court", "Willow Way",
            "Chestnut Street", "Juniper Place", "Hickory Lane", "Sycamore Drive", "Magnolia Avenue", "Dogwood Court",
            "Aspen Road", "Laurel Street", "Poplar Avenue", "Hazel Lane", "Spruce Drive", "Linden Way",
            "Rosewood Place",
        ],
        cities: &[
            "Maple Hollow", "Cedarbrook Falls", "Pinehaven", "Oakmere", "Willowdale Heights", "Brackenfield",
            "Larkspur Junction", "Millbrook Crossing", "Stonewater", "Eastvale", "Northfen", "Clearbrook Point",
            "Hazelridge", "Foxglove", "Ambergate", "Riverbend Mills", "Silverpine", "Thistledown", "Copperfield Bay",
            "Whitmore Springs",
        ],
        address: Address::NumberFirst,
        family_first: false,
    },
    Locale {
        name: "en_GB",
        first: &[
            "Alfie", "Amelia", "Archie", "Beatrice", "Callum", "Charlotte", "Clive", "Daisy", "Derek", "Edith",
            "Eleanor", "Elliot", "Esme", "Felix", "Fiona", "Freya", "Gareth", "Gemma", "George", "Graham", "Harriet",
            "Hazel", "Imogen", "Isla", "Jasper", "Jemima", "Keith", "Lewis", "Lydia", "Maisie", "Nigel", "Oliver",
            "Philippa", "Poppy", "Reuben", "Rosalind", "Rupert", "Sienna", "Stuart", "Winifred",
        ],
        last: &[
            "Ashworth", "Atkinson", "Barlow", "Bennett", "Booth", "Bradshaw", "Brearley", "Burton", "Carr",
            "Chadwick", "Clegg", "Crawford", "Dawson", "Dixon", "Ellis", "Fletcher", "Gallagher", "Goodwin",
            "Greenwood", "Hargreaves", "Holden", "Hutchinson", "Ingham", "Jarvis", "Kershaw", "Langley", "Lister",
            "Mercer", "Norris", "Ogden", "Pearson", "Pickering", "Rowley", "Sheldon", "Stafford", "Thornton",
            "Underhill", "Vickers", "Whittaker", "Yates",
        ],
        streets: &[
            "High Street", "Church Lane", "Station Road", "Mill Lane", "Orchard Close", "The Green", "Victoria Road",
            "Meadow Way", "Rectory Lane", "Priory Close", "Bridge Street", "Castle Hill", "Abbey Road", "Elm Grove",
            "Manor Drive", "Garden Terrace", "Quarry Bank", "Windmill Lane", "Hawthorn Avenue", "Brook Street",
        ],
        cities: &[
            "Applethwick", "Brackenbury St Mary", "Coldmere", "Dunwick Parva", "Eastonbridge", "Fernholt",
            "Great Ashmere", "Hollowby", "Inkleton", "Larkhampton", "Millthorpe Green", "Nether Oakley Mere",
            "Otterwold", "Penbrook", "Ravensmere", "Stoke Thornley", "Thornwick Magna", "Upper Hazelby", "Westerfold",
            "Yarrowby",
        ],
        address: Address::NumberFirst,
        family_first: false,
    },
    Locale {
        name: "de_DE",
        first: &[
            "Anja", "Anton", "Bastian", "Beate", "Benedikt", "Birgit", "Carsten", "Christa", "Dieter", "Dorothea",
            "Elke", "Emil", "Erika", "Fabian", "Friederike", "Gerd", "Greta", "Hannelore", "Hans", "Heike", "Helga",
            "Ingo", "Jens", "Jutta", "Karin", "Karl", "Katrin", "Klaus", "Lukas", "Markus", "Monika", "Oskar",
            "Petra", "Rainer", "Renate", "Sabine", "Stefan", "Ulrike", "Uwe", "Wolfgang",
        ],
        last: &[
            "Bauer", "Becker", "Berger", "Brandt", "Dietrich", "Engel", "Fischer", "Frank", "Friedrich", "Graf",
            "Haas", "Hartmann", "Heinrich", "Hoffmann", "Huber", "Jung", "Kaiser", "Keller", "Klein", "Koch",
            "Krause", "Krüger", "Lang", "Lehmann", "Lorenz", "Ludwig", "Maier", "Möller", "Neumann", "Otto",
            "Pfeiffer", "Richter", "Roth", "Sauer", "Schäfer", "Schulz", "Seidel", "Vogel", "Weber", "Winkler",
        ],
        streets: &[
            "Lindenstraße", "Gartenweg", "Bahnhofstraße", "Schulstraße", "Dorfstraße", "Hauptstraße", "Bergstraße",
            "Birkenweg", "Ahornallee", "Kirchgasse", "Mühlenweg", "Rosenweg", "Wiesenstraße", "Eichenallee",
            "Feldstraße", "Am Anger", "Tannenweg", "Buchenstraße", "Ringstraße", "Sonnenhang",
        ],
        cities: &[
            "Lindenhausen", "Birkenfurt", "Eichenrode am See", "Neumühlbach", "Tannenwalde", "Obersteinheim",
            "Rosenfelde", "Altwiesen", "Kaltenbrunnstadt", "Hohenlinde", "Seebergen", "Buchental", "Wiesenfurt",
            "Ahornhausen", "Grünbachtal", "Fuchsrode", "Sonnenwerder", "Mittelau", "Steinwalde", "Erlenkirch",
        ],
        address: Address::NumberLast,
        family_first: false,
    },
    Locale {
        name: "fr_FR",
        first: &[
            "Adèle", "Alain", "Amélie", "Antoine", "Arnaud", "Aurélie", "Baptiste", "Benoît", "Camille", "Cécile",
            "Chantal", "Claire", "Damien", "Denis", "Élodie", "Émile", "Étienne", "Fabrice", "Françoise", "Gaëlle",
            "Gérard", "Hélène", "Hugo", "Inès", "Jacques", "Jules", "Léa", "Louise", "Lucien", "Manon", "Margaux",
            "Mathilde", "Nicolas", "Odile", "Pascal", "Quentin", "Rémi", "Sylvie", "Thibault", "Yvette",
        ],
        last: &[
            "Aubert", "Barbier", "Benoit", "Blanchard", "Boucher", "Brun", "Carpentier", "Chevalier", "Colin",
            "Dubois", "Dufour", "Dumont", "Fabre", "Faure", "Fontaine", "Gaillard", "Garnier", "Gautier", "Girard",
            "Guérin", "Lacroix", "Lambert", "Leclerc", "Lefèvre", "Lemaire", "Marchand", "Mercier", "Meunier",
            "Moreau", "Morin", "Noël", "Perrin", "Renard", "Rivière", "Rousseau", "Roux", "Simon", "Thomas",
            "Vasseur", "Vidal",
        ],
        streets: &[
            "rue des Lilas", "avenue des Tilleuls", "rue de la Gare", "place du Marché", "rue du Moulin",
            "chemin des Vignes", "rue de l'Église", "allée des Chênes", "rue des Écoles", "boulevard du Parc",
            "impasse des Roses", "rue du Château", "quai des Saules", "rue du Puits", "avenue de la Plage",
            "rue des Prés", "sentier du Lavoir", "rue des Jardins", "cours des Platanes", "rue du Four",
        ],
        cities: &[
            "Montclair-les-Vignes", "Saint-Aubrun", "Valfleury-sur-Orne", "Beauchêne-le-Vieux", "Roquelune",
            "Villers-les-Saules", "Fontbelle", "Pré-Saint-Luc", "Châtelneuf-les-Bois", "Noirval",
            "Clairmarais-du-Lac", "Puyverdel", "Grandfontaine-la-Tour", "Mesnil-aux-Lilas", "Rocheblanc",
            "Lavaudrine", "Aigremont-les-Prés", "Sourcelune", "Hautebruyère", "Belombre",
        ],
        address: Address::NumberFirst,
        family_first: false,
    },
    Locale {
        name: "es_ES",
        first: &[
            "Adriana", "Alba", "Alberto", "Alicia", "Álvaro", "Andrés", "Beatriz", "Begoña", "Carlos", "Carmen",
            "César", "Clara", "Cristina", "Diego", "Elena", "Emilio", "Esteban", "Eva", "Fernando", "Gloria",
            "Gonzalo", "Hugo", "Inés", "Irene", "Javier", "Jimena", "Jorge", "Leticia", "Lucía", "Manuel", "Marta",
            "Nuria", "Óscar", "Pablo", "Pilar", "Raúl", "Rocío", "Sergio", "Teresa", "Víctor",
        ],
        last: &[
            "Aguilar", "Alonso", "Blanco", "Cabrera", "Calvo", "Campos", "Cano", "Castillo", "Castro", "Crespo",
            "Delgado", "Díez", "Domínguez", "Duran", "Fuentes", "Gallego", "Gil", "Herrera", "Iglesias", "León",
            "Lorenzo", "Márquez", "Medina", "Méndez", "Molina", "Montero", "Moreno", "Navarro", "Nieto", "Ortega",
            "Pascual", "Prieto", "Ramos", "Reyes", "Rubio", "Santana", "Serrano", "Soler", "Vega", "Vidal",
        ],
        streets: &[
            "Calle Mayor", "Calle de la Rosa", "Avenida del Parque", "Plaza de la Fuente", "Calle del Olivo",
            "Camino Viejo", "Calle Real", "Paseo de los Tilos", "Calle de la Luna", "Calle del Sol",
            "Avenida de las Palmeras", "Calle Nueva", "Calle del Molino", "Ronda del Río", "Calle de los Almendros",
            "Travesía del Pozo", "Calle de la Iglesia", "Calle del Mercado", "Calle de las Flores",
            "Cuesta del Castillo",
        ],
        cities: &[
            "Villaolivo de la Sierra", "Fuentelmirto", "Almendralejo Nuevo", "Robledal del Río",
            "Puebla de la Encina", "Castroluna", "Montesol de Arriba", "Aldea del Mirlo", "Torrelosa", "Navazarza",
            "Valdeflores del Monte", "Peñalora", "Olmedilla Nueva", "Riobravo del Campo", "Campoclaro",
            "Encinar de la Vega", "Santa Brezal", "Cerroverde", "Hontanilla del Mar", "Villacierzo",
        ],
        address: Address::NumberLast,
        family_first: false,
    },
    Locale {
        name: "it_IT",
        first: &[
            "Alessia", "Alessandro", "Andrea", "Anna", "Antonella", "Aurora", "Beatrice", "Bruno", "Camilla", "Carlo",
            "Caterina", "Chiara", "Cristiano", "Dario", "Davide", "Elisa", "Emma", "Enrico", "Fabio", "Federica",
            "Filippo", "Gaia", "Giacomo", "Giorgia", "Giulia", "Ilaria", "Ivan", "Lorenzo", "Lucia", "Marco",
            "Martina", "Matteo", "Noemi", "Paola", "Pietro", "Riccardo", "Sara", "Silvio", "Tommaso", "Viola",
        ],
        last: &[
            "Barbieri", "Basile", "Bellini", "Benedetti", "Bianchi", "Caruso", "Cattaneo", "Colombo", "Conti",
            "Costa", "Damico", "Deangelis", "Farina", "Ferrara", "Ferretti", "Fontana", "Gallo", "Gatti", "Gentile",
            "Giordano", "Grasso", "Greco", "Guerra", "Leone", "Longo", "Lombardi", "Mancini", "Marino", "Martini",
            "Monti", "Morelli", "Neri", "Orlando", "Parisi", "Pellegrini", "Riva", "Sala", "Testa", "Valentini",
            "Villa",
        ],
        streets: &[
            "Via dei Tigli", "Via Roma", "Piazza del Mercato", "Via della Fonte", "Via degli Ulivi",
            "Corso delle Rose", "Via del Mulino", "Via San Luca", "Viale dei Pini", "Via della Stazione",
            "Vicolo Corto", "Via dei Mille", "Via del Castello", "Via Nuova", "Largo dei Cedri", "Via delle Vigne",
            "Via del Ponte", "Via dell'Orto", "Viale della Pace", "Via dei Gelsi",
        ],
        cities: &[
            "Castelverde Marina", "Montelupolo", "Borgo San Tiglio", "Pievefiorita", "Roccalunga", "Valdulivo",
            "Santa Quercia", "Fontechiara Nuova", "Torrebianca sul Lago", "Campodorato", "Villacedro", "Collesereno",
            "Acquaviola", "Pratolungo Alto", "Serravento", "Poggiolino", "Rivamonte Basso", "Casalmirto", "Gelsomara",
            "Pontefreddo",
        ],
        address: Address::NumberLast,
        family_first: false,
    },
    Locale {
        name: "nl_NL",
        first: &[
            "Anouk", "Bart", "Bas", "Bram", "Carlijn", "Daan", "Dirk", "Eline", "Esmee", "Eva", "Femke", "Fleur",
            "Floris", "Gerrit", "Hendrik", "Iris", "Jan", "Jasmijn", "Jeroen", "Joost", "Joris", "Karin", "Kees",
            "Lieke", "Lotte", "Maarten", "Marieke", "Mees", "Nienke", "Noortje", "Pieter", "Rik", "Roos", "Ruben",
            "Sanne", "Sjoerd", "Thijs", "Tess", "Wouter", "Yvonne",
        ],
        last: &[
            "Bakker", "Bos", "Brouwer", "Dekker", "Dijkstra", "Driessen", "Evers", "Gerritsen", "Groen", "Hendriks",
            "Hermans", "Hoekstra", "Huisman", "Jacobs", "Kok", "Koster", "Kramer", "Kuiper", "Maas", "Martens",
            "Meijer", "Mulder", "Peters", "Postma", "Prins", "Schouten", "Smits", "Timmerman", "Veenstra", "Verbeek",
            "Verhoeven", "Vermeer", "Visser", "Vos", "Willems", "Wolters", "Zijlstra", "Sanders", "Kuipers",
            "Molenaar",
        ],
        streets: &[
            "Lindelaan", "Kerkstraat", "Dorpsstraat", "Molenweg", "Schoolstraat", "Eikenlaan", "Beukenstraat",
            "Stationsweg", "Rozenstraat", "Tulpenlaan", "Havenkade", "Marktplein", "Wilgenweg", "Berkenhof",
            "Nieuwstraat", "Parklaan", "Zonnedijk", "Veldweg", "Julianahof", "Esdoornlaan",
        ],
        cities: &[
            "Lindenveen", "Oosterwoudekerk", "Nieuw-Beukendam", "Zuidermeerdijk", "Wilgenoord", "Eikenbroek",
            "Hoogvliedrecht", "Rozenwaarde", "Molenbergen", "Westerhaven aan Zee", "Achterlind", "Klaverdorp",
            "Berkenzijl", "Duinlo", "Rietwold", "Vossenbeek", "Kerkelaar", "Veldhorst", "Zonnemeer", "Grasburg",
        ],
        address: Address::NumberLast,
        family_first: false,
    },
    Locale {
        name: "pl_PL",
        first: &[
            "Adam", "Agata", "Agnieszka", "Aleksander", "Alicja", "Andrzej", "Anna", "Barbara", "Bartosz", "Beata",
            "Bogdan", "Celina", "Damian", "Danuta", "Dorota", "Edyta", "Elżbieta", "Ewa", "Filip", "Gabriela",
            "Grzegorz", "Halina", "Irena", "Jacek", "Jadwiga", "Jakub", "Kamil", "Karolina", "Krystyna", "Łukasz",
            "Maciej", "Małgorzata", "Marek", "Oliwia", "Paweł", "Renata", "Sławomir", "Tomasz", "Urszula", "Zofia",
        ],
        last: &[
            "Adamczyk", "Bąk", "Baran", "Borowski", "Chmielewski", "Czarnecki", "Domański", "Dudek", "Gajda",
            "Głowacki", "Górski", "Jabłoński", "Jasiński", "Kaczmarek", "Kalinowski", "Kania", "Kołodziej", "Kozioł",
            "Krawczyk", "Król", "Kubiak", "Lis", "Majewski", "Malinowski", "Marciniak", "Maziarz", "Nowicki",
            "Olszewski", "Pawlak", "Piątek", "Rogalski", "Sadowski", "Sikora", "Sobczak", "Stępień", "Szulc", "Urban",
            "Wilk", "Wrona", "Zając",
        ],
        streets: &[
            "ul. Lipowa", "ul. Ogrodowa", "ul. Polna", "ul. Leśna", "ul. Szkolna", "ul. Kwiatowa", "ul. Słoneczna",
            "ul. Brzozowa", "ul. Łąkowa", "ul. Krótka", "ul. Dębowa", "ul. Młyńska", "ul. Parkowa", "ul. Wiśniowa",
            "ul. Klonowa", "ul. Jasna", "ul. Zielona", "ul. Rynkowa", "ul. Różana", "ul. Spokojna",
        ],
        cities: &[
            "Lipowiec Nowy", "Brzozowa Góra", "Dębnik Mały", "Jasnowola", "Kwiatów Dolny", "Leśnogród", "Młynarzewo",
            "Nowa Olszyna", "Ostrowiec Zielony", "Polanowo Górne", "Różanów", "Słonecznik Wielki", "Topolnica",
            "Wierzbowo", "Zamczysko Stare", "Łąkowice", "Sosnowiec Leśny", "Jaworzec", "Kamiennik", "Wiśniogród",
        ],
        address: Address::NumberLast,
        family_first: false,
    },
    Locale {
        name: "pt_BR",
        first: &[
            "Adriano", "Alice", "Amanda", "Ana", "André", "Beatriz", "Breno", "Bruna", "Caio", "Camila", "Cecília",
            "Davi", "Débora", "Diego", "Eduardo", "Elisa", "Enzo", "Fabiana", "Felipe", "Fernanda", "Gabriel",
            "Heitor", "Helena", "Igor", "Isabela", "João", "Júlia", "Larissa", "Leandro", "Letícia", "Luan",
            "Marcelo", "Mariana", "Otávio", "Patrícia", "Rafael", "Renata", "Thiago", "Valentina", "Vitória",
        ],
        last: &[
            "Almeida", "Alves", "Araújo", "Azevedo", "Barbosa", "Barros", "Batista", "Borges", "Campos", "Cardoso",
            "Carvalho", "Castro", "Correia", "Costa", "Cunha", "Dias", "Duarte", "Farias", "Ferreira", "Freitas",
            "Gomes", "Lima", "Lopes", "Machado", "Marques", "Martins", "Melo", "Mendes", "Miranda", "Monteiro",
            "Moraes", "Moura", "Nascimento", "Nunes", "Pereira", "Pinto", "Ramos", "Ribeiro", "Rocha", "Teixeira",
        ],
        streets: &[
            "Rua das Flores", "Avenida das Palmeiras", "Rua do Sol", "Rua da Paz", "Travessa do Rio", "Rua dos Ipês",
            "Avenida Central", "Rua das Acácias", "Rua do Comércio", "Praça da Matriz", "Rua da Lua",
            "Alameda dos Jacarandás", "Rua das Mangueiras", "Rua Nova", "Avenida Beira Lago", "Rua dos Pinheiros",
            "Rua do Campo", "Rua da Fonte", "Rua das Orquídeas", "Estrada Velha",
        ],
        cities: &[
            "Serra das Acácias", "Lagoa Clara do Norte", "Porto do Ipê", "Vila Jacarandá", "Campo Sereno",
            "Ribeirão das Garças", "Monte Orvalho", "Santa Palmeira", "Novo Alvorecer", "Pedra Lisa do Sul",
            "Barra do Sabiá", "Rio Manso Novo", "Boa Sombra", "Morro Azulado", "Águas de Jasmim", "Cachoeira do Luar",
            "Bela Mangueira", "São Ventura do Vale", "Pontal das Dunas", "Campina Dourada",
        ],
        address: Address::NumberLast,
        family_first: false,
    },
    Locale {
        name: "sv_SE",
        first: &[
            "Agnes", "Albin", "Alma", "Anders", "Anna", "Arvid", "Astrid", "Axel", "Birgitta", "Björn", "Cecilia",
            "Elin", "Elsa", "Emil", "Erik", "Frida", "Göran", "Gunnar", "Gustav", "Hanna", "Helena", "Ingrid", "Isak",
            "Johan", "Karin", "Kerstin", "Lars", "Linnea", "Lovisa", "Magnus", "Malin", "Mats", "Nils", "Olof",
            "Petra", "Rasmus", "Sofia", "Sven", "Tove", "Åsa",
        ],
        last: &[
            "Ahlgren", "Alm", "Berg", "Bergman", "Björk", "Blom", "Boström", "Dahl", "Ek", "Eklund", "Engström",
            "Fors", "Forsberg", "Hagman", "Hedlund", "Hellström", "Holm", "Holmgren", "Lind", "Lindahl", "Lindgren",
            "Ljung", "Lund", "Lundqvist", "Löfgren", "Malm", "Norberg", "Nordin", "Nyström", "Palm", "Rosén",
            "Sandberg", "Sjöberg", "Strand", "Ström", "Sundin", "Vallin", "Wahl", "Åberg", "Öberg",
        ],
        streets: &[
            "Storgatan", "Björkvägen", "Skolgatan", "Lindvägen", "Kyrkogatan", "Ekstigen", "Parkvägen", "Ängsvägen",
            "Strandgatan", "Kvarnvägen", "Rosenstigen", "Hamngatan", "Granvägen", "Solvägen", "Trädgårdsgatan",
            "Nygatan", "Tallstigen", "Bergsgatan", "Sjövägen", "Fågelvägen",
        ],
        cities: &[
            "Björkalund", "Granvikstad", "Nordsjöhamn", "Ekenberga", "Lillforsbruk", "Solhemsby", "Strandköping",
            "Ängsholmen", "Tallboda", "Rosenvik", "Kvarnåsen", "Linderud", "Vinterby", "Stenhamra Norra", "Älvdalsbo",
            "Sundåker", "Fågelstad", "Björnmossa", "Hästveda Nya", "Silvertuna",
        ],
        address: Address::NumberLast,
        family_first: false,
    },
    Locale {
        name: "tr_TR",
        first: &[
            "Ahmet", "Ali", "Aslı", "Ayla", "Ayşe", "Barış", "Begüm", "Berk", "Burak", "Can", "Cemal", "Ceren",
            "Deniz", "Derya", "Ebru", "Ece", "Elif", "Emre", "Engin", "Esra", "Fatma", "Gizem", "Gökhan", "Hakan",
            "Hülya", "İpek", "İrem", "Kaan", "Kemal", "Leyla", "Mehmet", "Melis", "Murat", "Nazlı", "Onur", "Özge",
            "Selin", "Serkan", "Tuğba", "Zeynep",
        ],
        last: &[
            "Acar", "Akın", "Aksoy", "Aktaş", "Arslan", "Aslan", "Aydın", "Balcı", "Bozkurt", "Bulut", "Çakır",
            "Çelik", "Çetin", "Demirci", "Doğan", "Duman", "Erdem", "Eren", "Güler", "Güneş", "Işık", "Kaplan",
            "Kara", "Keskin", "Koç", "Kurt", "Özkan", "Öztürk", "Polat", "Sarı", "Sönmez", "Şahin", "Şimşek", "Taş",
            "Tekin", "Toprak", "Turan", "Ünal", "Yalçın", "Yıldırım",
        ],
        streets: &[
            "Çınar Sokak", "Gül Sokak", "Lale Caddesi", "Okul Sokak", "Bahçe Sokak", "Deniz Caddesi", "Çam Sokak",
            "Güneş Sokak", "Papatya Sokak", "Değirmen Sokak", "Zeytin Caddesi", "Park Sokak", "Menekşe Sokak",
            "Kavak Caddesi", "Pınar Sokak", "Yeni Sokak", "Barış Caddesi", "Kiraz Sokak", "Nar Sokak", "Çeşme Sokak",
        ],
        cities: &[
            "Çınarköy", "Gülpınar Yeni", "Zeytinova", "Akçamlı", "Lalebahçe", "Güneştepe", "Pınarözü",
            "Kavaklıdere Köyü", "Narlıbağ", "Yeşilkonak", "Taşlıçay Yeni", "Denizyurdu", "Bağlarönü", "Kirazlıtepe",
            "Değirmenli Bucak", "Sarıçiçek", "Kuşluova", "Göktepecik", "Ihlamurlu", "Ormanyurt",
        ],
        address: Address::NumberLast,
        family_first: false,
    },
    Locale {
        name: "ja_JP",
        first: &[
            "葵", "蓮", "陽菜", "大翔", "結衣", "悠真", "さくら", "湊", "凛", "樹", "花", "蒼", "美咲", "健太", "愛",
            "翔太", "彩", "拓也", "優子", "直樹", "恵子", "和也", "真由美", "浩", "由美", "誠", "千尋", "隆",
            "久美子", "剛", "麻衣", "修", "香織", "進", "明美", "豊", "智子", "勇", "洋子", "清",
        ],
        last: &[
            "佐々木", "山口", "松本", "井上", "木村", "林", "清水", "山崎", "池田", "橋本", "阿部", "石川", "森",
            "前田", "藤田", "小川", "岡田", "後藤", "長谷川", "村上", "近藤", "石井", "斎藤", "坂本", "遠藤", "青木",
            "藤井", "西村", "福田", "太田", "三浦", "岡本", "中川", "中野", "原田", "松田", "竹内", "小野", "田村",
            "金子",
        ],
        streets: &[
            "さくら通り", "けやき通り", "いちょう通り", "本町通り", "駅前通り", "中央通り", "緑が丘通り", "若葉通り",
            "梅の木通り", "松原通り", "川沿い通り", "学校通り", "銀杏坂", "桜坂", "つばき通り", "もみじ通り",
            "日の出通り", "東雲通り", "朝日通り", "すみれ通り",
        ],
        cities: &[
            "桜野市", "若葉ヶ原市", "松風町", "青葉浜市", "梅里町", "緑川台市", "月見野市", "星ヶ瀬町", "風早浦市",
            "白樺台町", "紅葉谷市", "水鏡町", "雲雀野市", "竹の里町", "朝霧浜市", "花園原町", "鈴音市", "金木犀町",
            "清流野市", "藤棚町",
        ],
        address: Address::Joined,
        family_first: true,
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_locale_has_enough_different_words() {
        assert_eq!(LOCALES.iter().map(|locale| locale.name).collect::<Vec<_>>(), NAMES);
        for locale in &LOCALES {
            for (list, least) in [(locale.first, 40), (locale.last, 40), (locale.streets, 20), (locale.cities, 20)] {
                let different: HashSet<_> = list.iter().collect();
                assert!(different.len() == list.len() && list.len() >= least, "{}", locale.name);
                assert!(list.iter().all(|word| !word.trim().is_empty() && word.trim() == *word), "{}", locale.name);
            }
        }
    }
}
