/**
 * Digests for people: eight words that two persons can read to each other and to a screen. As with the PGP word list, the
 * words of even octets have two syllables and those of odd octets more, so that a swap or a gap is heard. The lists are
 * our own and never change: words of old minutes must keep their meaning.
 */
import { KmcError } from '../errors.ts';

/** Octets of a digest that the words stand for: 64 bits, a comparison aid and no replacement for the digest. */
const OCTETS = 8;

/** Two syllables: for octets 0, 2, 4, 6. */
const EVEN_WORDS: readonly string[] = `
acorn adept alley almond amber anchor anthem apple apron arctic armor arrow artist aspen atlas autumn baboon badger
bakery ballet bamboo banjo banner barley basin basket beacon beaver bedrock bishop bison blanket blossom bonfire
border bottle bracket bramble bridal bronco bubble bucket buffet bugle bundle butter cabin cactus camel candle
canyon captain carbon cargo carrot castle cedar cellar census chapel charcoal cherry chimney chisel cinder circle
circuit citrus clover cobalt cobweb coffee comet compass concert copper coral cotton cougar cradle crater cricket
crimson crystal curtain cushion custom cyclone dagger daisy dancer dentist desert dinner doctor dolphin donkey
doorway dragon drummer duckling eagle earring easel eastward echo eggplant elbow emblem engine escort estate evening
fabric falcon farmland farthing fender fiber fiddle fisher flagship flannel flavor flower forest fortune fossil
fountain freckle frozen funnel garden garlic garment gather gazelle geyser ginger giraffe glacier goblet goldfish
gopher gravel grotto guitar hamlet hammer hammock harbor harvest hatchet hazel helmet heron hickory hockey honey
hornet hotel humble hunter husky iceberg igloo inkwell iron island ivory jacket jaguar jasmine jersey jewel jigsaw
journey jungle kayak kennel kettle kitchen kitten ladder lagoon lantern laurel leather lemon lentil leopard letter
lily linen lizard lobster locket lumber magnet mammoth mango maple marble market meadow medal melon mentor merchant
meteor mirror monsoon mortar mosaic mustard napkin nectar needle nickel northern notebook nugget nutmeg oatmeal
onion orbit orchard osprey otter oxen oyster paddle pageant painter palace pancake panther paper parsley pasture
pebble pencil pepper pigeon pilot pistol planet pony puffin puma quiver rabbit raven ribbon salmon sandal
`
  .trim()
  .split(/\s+/);

/** Three or more syllables: for octets 1, 3, 5, 7. */
const ODD_WORDS: readonly string[] = `
abacus acetate acrobat admiral adventure aerosol albatross alchemist alfalfa alibi almanac aluminum amethyst amulet
anchovy angular animal antelope antenna antidote appetite apricot aquarium architect armada aroma asparagus asteroid
astronaut atmosphere atrium auditor avenue avocado azalea bachelor balcony banana barbecue baritone barnacle battery
benefit bicycle billiard blueberry botanist boulevard broccoli bulletin buttercup butterfly cabaret cabinet calcium
calendar calico camera canary candidate cantaloupe capital caramel caravan cardamom cardinal caribou carnival
carousel cashmere cathedral cavalry celery cellular ceramic cereal champion chandelier chemistry chinchilla
chocolate cinema cinnamon citadel clarity clementine coconut colony columbine comedy composer condiment confetti
conifer cookery corduroy coriander coronet cranberry crocodile cucumber curator cylinder daffodil dandelion decimal
democrat diagram dialect diamond dictionary dinosaur diplomat director dynamo eclipse editor elegant elephant
elevate emerald emperor endeavor energy equator espresso evergreen explorer factory fantasy festival figurine
filament firefighter flamingo forefather formula fortify galaxy gallery gardener gasoline general geranium gladiator
glossary gondola gorilla gradual granary habitat handicraft handlebar harmony hazelnut hemisphere heritage hexagon
hibiscus holiday honeydew horizon hospital hurricane hydrogen icicle imitate indigo instrument interval inventor
iodine isotope italic jamboree javelin jubilee juniper juvenile kangaroo kerosene kilogram kilowatt kimono labyrinth
lacquerware lavender lemonade liberty librarian linoleum liquidate logarithm longitude lullaby luminous macaroni
magazine magnesium magnolia mahogany marathon marigold marmalade masonry medallion melody memory meridian microphone
microscope minaret mineral monitor monument mulberry museum musketeer mystery natural nebula nectarine nightingale
nitrogen november oasis obelisk observer octagon octopus opera optical organic origami oxygen pagoda palisade papaya
parakeet passenger pavilion pelican peninsula peppermint pharmacy pineapple pioneer planetary platinum porcelain
porcupine potato president professor radio rhapsody
`
  .trim()
  .split(/\s+/);

/**
 * The eight words of a digest, by its first eight octets.
 * @param digest `sm3:<hex>`, or hex alone.
 * @throws KmcError E_SCHEMA when the text is not such a digest.
 */
export function digestWords(digest: string): string[] {
  const hex = digest.startsWith('sm3:') ? digest.slice(4) : digest;
  if (!/^[0-9a-f]{64}$/.test(hex)) {
    throw new KmcError('E_SCHEMA', 'Words are made of a digest: sm3: and 64 lower-case hex digits.');
  }
  return [...Buffer.from(hex.slice(0, 2 * OCTETS), 'hex')].map((octet, index) => wordFor(octet, index));
}

/** The two lists, even and odd, 256 words each. */
export const DIGEST_WORDS = { even: EVEN_WORDS, odd: ODD_WORDS } as const;

function wordFor(octet: number, index: number): string {
  const word = (index % 2 === 0 ? EVEN_WORDS : ODD_WORDS)[octet];
  if (word === undefined) throw new KmcError('E_INTERNAL', 'A word list is not of 256 words.');
  return word;
}
