/**
 * What the troopers say when no model answers. Any of the first words goes with any of the second and third, and any first line
 * with any second and third, so that little text goes a long way. No word is in two of the lists.
 */
export const WORDS = [
  [
    ...['armoured', 'bitter', 'bloodied', 'burning', 'cold', 'distant', 'dropping', 'dug-in', 'dusty', 'fearless', 'frozen'],
    ...['hungry', 'jumping', 'last', 'loaded', 'lost', 'marching', 'muddy', 'orbital', 'outnumbered', 'patient', 'proud'],
    ...['quiet', 'ragged', 'ready', 'restless', 'scarred', 'sleepless', 'stubborn', 'sworn', 'tired', 'unbroken', 'wary'],
  ],
  [
    ...['airlock', 'banner', 'barracks', 'beacon', 'boots', 'brother', 'bunker', 'capsule', 'cruiser', 'dawn', 'dropship'],
    ...['flank', 'fleet', 'gauntlet', 'hatch', 'helmet', 'hive', 'lantern', 'moon', 'patrol', 'perimeter', 'platoon'],
    ...['radio', 'recruit', 'ridge', 'rifle', 'sentry', 'sergeant', 'squad', 'suit', 'trench', 'tunnel', 'volley'],
  ],
  [
    ...['advances', 'answers', 'awaits', 'calls', 'charges', 'climbs', 'counts', 'digs', 'endures', 'falls', 'fights'],
    ...['glows', 'hails', 'holds', 'hunts', 'ignites', 'kneels', 'listens', 'reloads', 'remembers', 'returns', 'rises'],
    ...['salutes', 'scans', 'shivers', 'signals', 'stands', 'strikes', 'thunders', 'volunteers', 'waits', 'watches', 'wins'],
  ],
] as const;

/** Lines of five, seven and five syllables. */
export const HAIKU_LINES = [
  [
    'Capsules fall like rain',
    'Boots on frozen mud',
    'The sergeant counts heads',
    'Dust on my visor',
    'Red dawn on the ridge',
    'Alarms wake the ship',
    'The hive hums below',
    'Rifles cool and tick',
    'Silence in the trench',
    'One flare, then the dark',
    'We jump at first light',
    'Armour hums a hymn',
    'Far from any home',
    'The last hatch slams shut',
    'Claws scrape on the wall',
    'Engines shake the deck',
  ],
  [
    'a thousand legs in the dark',
    'the radio spits and dies',
    'each of us knows whom to trust',
    'orbit burns above our heads',
    'we write our names in the dust',
    'nobody asks who goes first',
    'the squad moves as if one man',
    'somewhere a small bell still rings',
    'the moon looks down and keeps score',
    'smoke drifts over empty shells',
    'the tunnel breathes warm and sour',
    'old songs on the troop channel',
    'my shadow reloads with me',
    'the medic runs out of thread',
    'a recruit whispers a joke',
    'stars between us and supper',
  ],
  [
    'we hold the line here',
    'and still no retreat',
    'home is the next man',
    'count again at dawn',
    'the bugs do not sleep',
    'good hunting, brothers',
    'the drop bay lights up',
    'none of us looks back',
    'then the guns begin',
    'we dig and we wait',
    'someone hums off key',
    'the hill is ours now',
    'roll call, two men short',
    'the fleet sails at ten',
    'service has its price',
    'hatch open, we go',
  ],
] as const;
