/** The words a statement may be built of; everything else unquoted must be a name. */
const KEYWORDS = new Set(
  `all and as asc between by coalesce conflict count default delete desc distinct do duplicate excluded exists false for
   from group having in inner insert into is join key left like limit locked max min not nothing nowait null nulls of
   offset on or order outer select set share skip sum true union update values where with first last`.split(/\s+/),
)

/**
 * Words with a meaning of their own in an engine that the parser may take for a name: `FROM a straight_join b` parses
 * as an alias on one side and as a join on the other. Unquoted they are refused; quoted they are names to both sides.
 */
const RESERVED_WORDS = new Set(
  `abort accessible add after against alter always analyze any array attach autoincrement before begin binary
   binlog both cache call cascade case cast change char character charset check checksum close collate column
   commit concurrently constraint continue convert create cross cube cume_dist current current_date current_role
   current_time current_timestamp current_user cursor database databases day_hour day_microsecond day_minute day_second
   dayname deallocate declare deferrable deferred delayed dense_rank describe detach deterministic distinctrow div drop
   dual dumpfile each else elseif empty enclosed end escape escaped except exclude exclusive execute exit expansion
   explain fail fetch filter final flush following force foreign full fulltext function generated get glob
   global grant grouping groups handler help high_priority hour_microsecond hour_minute hour_second if ignore ilike
   immediate import index indexed infile initially inout insensitive instead interval intersect isnull iterate
   json_table keys kill lag last_value lateral lead leading leave limit_by linear lines load local localtime
   localtimestamp lock loop low_priority manual match materialized merge minus minute_microsecond
   minute_second mod mode modifies natural no no_write_to_binlog nth_value ntile notnull option optimize optimizer_costs
   optionally others out outfile over overlaps overwrite parallel partition percent_rank pivot pragma preceding
   precision prepare prewhere primary procedure purge qualify quick raise range rank read reads rebuild recursive
   references regexp reindex release rename repeat replace require reset resignal restrict return returning revoke right
   rlike rollback rollup row row_number rows sample savepoint schema schemas separator show signal
   similar some sounds spatial sql sql_big_result sql_buffer_result sql_cache sql_calc_found_rows sql_no_cache
   sql_small_result sqlexception sqlwarning ssl start starting straight_join system table tables tablesample temp
   temporary terminated then ties to top trailing transaction trigger truncate unbounded undo unique unlock unpivot
   unsigned usage use using utc_date utc_time utc_timestamp vacuum variable varying virtual wait when while
   window within without work write xor year_month zerofill`.split(/\s+/),
)

export function isKeyword(word: string): boolean {
  return KEYWORDS.has(word.toLowerCase())
}

/** Character set introducers (`_binary x`) begin with an underscore, and so does nothing of ours. */
export function isReservedWord(word: string): boolean {
  return word.startsWith('_') || RESERVED_WORDS.has(word)
}
