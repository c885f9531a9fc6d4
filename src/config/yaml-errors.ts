import type { ErrorCode } from 'yaml';

/**
 * What the parser's error codes mean for somebody who edits a config file. In our own words, because the library's quote
 * what stands in the file, and that may be a token.
 */
export const SYNTAX: Readonly<Partial<Record<ErrorCode, string>>> = {
  ALIAS_PROPS: 'an alias (*name) cannot have an anchor or a tag of its own',
  BAD_ALIAS: 'this is not a valid name for an anchor or an alias',
  BAD_COLLECTION_TYPE: 'this tag does not fit what it stands before',
  BAD_DIRECTIVE: 'this YAML directive is not known',
  BAD_DQ_ESCAPE: 'this is not an escape sequence of double-quoted text; single quotes take a backslash as it is',
  BAD_INDENT: 'the indentation is wrong, or a bracket or quote before this is not closed',
  BAD_PROP_ORDER: 'an anchor or a tag must stand right before its value',
  BAD_SCALAR_START: 'a value that begins with this character must be put in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a second `key:` on this line; put the value in quotes, or begin a new line',
  BLOCK_IN_FLOW: 'inside brackets this must be written with brackets or quotes, too',
  DUPLICATE_KEY: 'this key is given twice',
  MISSING_CHAR: 'something is missing here: a quote, a colon, a comma, a bracket or a space',
  MULTILINE_IMPLICIT_KEY: 'a key must be on one line and end in a colon',
  MULTIPLE_ANCHORS: 'a value can have only one anchor',
  MULTIPLE_DOCS: 'a second YAML document begins here; the file must hold one',
  MULTIPLE_TAGS: 'a value can have only one tag',
  RESOURCE_EXHAUSTION: 'the file is nested too deeply',
  TAB_AS_INDENT: 'a tab cannot be used to indent; use spaces',
  TAG_RESOLVE_FAILED: 'this tag (!name) is not known; leave it out',
  UNEXPECTED_TOKEN: 'this cannot stand here; the lines before it may lack a dash, a colon or a quote',
};
