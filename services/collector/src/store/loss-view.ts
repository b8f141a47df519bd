/**
 * The loss rule: what a block's counters say, and how far they can be trusted. The only place where it is written.
 *
 * As a query with the parameters `now_ns`, `from_ns`, `to_ns` and `path` it answers one row per path, interval, block
 * and flow for the blocks that start in [from_ns, to_ns) and of which at least one record is stored. An empty `path`
 * means every path. `now_ns` decides what is still PENDING.
 *
 * Verdicts and reasons are the numbers of waymark.query.v1.LossVerdict and LossReason.
 *
 * @see RFC 9341 sections 3.1 and 5 (block, guard band), RFC 9342 (several sources and sinks are summed)
 */
export function lossRule(): string {
  return `WITH
  ${BOOTS},
  ${ANNOUNCED},
  ${AGENTS},
  ${HISTORY},
  ${OTHER_INTERVALS},
  ${BLOCKS},
  ${VERDICTS},
  ${FLOWS}
SELECT
  path, interval_ns, block_number, start_ns, deadline_ns, decided_ns, changed_ns, flow, agents, revision,
  sent_packets, received_packets, sent_l3_bytes, received_l3_bytes,
  multiIf(pending, 1, all_reported, if(empty(faults), 2, 5), conflicting, 5, missing_source, 4, 3) AS verdict,
  if(pending OR NOT (all_reported OR conflicting), [],
    arraySort(if(overflowed AND flow = 'other', arrayPushBack(faults, 10), faults))) AS reasons,
  NOT pending AND all_reported AND NOT has(faults, 6) AS numbered,
  if(numbered, difference, 0) AS lost_packets,
  if(numbered AND sent_packets > 0, difference / sent_packets, 0) AS loss_ratio
FROM flow`;
}

/**
 * The rule as a view with parameters, for whoever works in SQL: `SELECT * FROM loss(now_ns = …, from_ns = …,
 * to_ns = …, path = '')`. The collector queries the rule itself, because the engine plans a view twice.
 */
export function lossView(): string {
  return `CREATE OR REPLACE VIEW loss AS ${lossRule()}`;
}

// Many small stages on purpose: an alias that is used twice within one SELECT is analysed twice, and such doublings
// multiply. With fewer stages, planning alone took half a second.

const ENDLESS = "18446744073709551615";

// What one boot of one agent said of one block, its parts together. What is too old is skipped by the index "reach".
const BOOTS = `boot AS (
    SELECT path, interval_ns, block_number, agent, service, role, interface, boot_id,
      any(kernel_boot_id) AS kernel,
      min(synchronised OR trusted) AS clock_known,
      max(if(trusted, 0, max_error_ns)) AS clock_error_ns,
      max(abs(clock_offset_ns)) AS clock_offset_ns,
      min(guard_ns) AS guard_ns,
      groupArray((covered_from_ns, covered_to_ns)) AS covered,
      groupUniqArray(rule_hash) AS rules,
      max(overflowed) AS overflowed, max(clock_stepped) AS stepped, max(unmatched_fragments) AS unmatched,
      sum(packets) AS packets, sum(out_of_guard) AS out_of_guard,
      count() > uniqExact(part) AS repeated,
      uniqExact(part) = max(parts) AS whole,
      arrayMax(minMap([part], [stored_ns]).2) AS whole_ns,
      min(stored_ns) AS announced_ns,
      groupUniqArray((boot_id, sequence, stored_ns)) AS reports
    FROM loss_record
    WHERE path != '' AND ({path:String} = '' OR path = {path:String})
      AND start_ns < {to_ns:UInt64} AND start_ns + 3 * interval_ns >= {from_ns:UInt64}
    GROUP BY path, interval_ns, block_number, agent, service, role, interface, boot_id
  )`;

// A record or a JOINED announces its boot for its block and the three after it; a LEFT ends that. "heard" is which boot
// watched from when until when, so many blocks ago.
const ANNOUNCED = `announced AS (
    SELECT path, interval_ns, block_number + ahead AS block_number, agent, service, role, interface, boot_id,
      announced_ns, ahead = 0 AS counted,
      [(ahead, toString(boot_id), arrayMin(covered.1), arrayMax(covered.2), stepped)] AS heard,
      kernel, clock_known, clock_error_ns, clock_offset_ns, guard_ns, covered, rules, overflowed, stepped, unmatched,
      packets, out_of_guard, repeated, whole, whole_ns, reports
    FROM boot ARRAY JOIN [0, 1, 2, 3] AS ahead
    UNION ALL
    SELECT path, interval_ns, intDiv(at_ns, interval_ns) + ahead AS block_number, agent, service, role, interface,
      boot_id, stored_ns AS announced_ns, 0 AS counted,
      [(ahead, toString(boot_id), at_ns, at_ns + 1, false)] AS heard,
      '' AS kernel, 0 AS clock_known, 0 AS clock_error_ns, 0 AS clock_offset_ns, 0 AS guard_ns, [] AS covered,
      [] AS rules, 0 AS overflowed, 0 AS stepped, 0 AS unmatched, 0 AS packets, 0 AS out_of_guard, 0 AS repeated, 0 AS whole,
      0 AS whole_ns, [] AS reports
    FROM presence ARRAY JOIN [0, 1, 2, 3] AS ahead
    WHERE joined AND ({path:String} = '' OR path = {path:String})
      AND at_ns < {to_ns:UInt64} + interval_ns AND at_ns + 4 * interval_ns >= {from_ns:UInt64}
  ),
  departure AS (
    SELECT path, agent, service, role, interface, boot_id, min(at_ns) AS left_ns, min(stored_ns) AS left_stored_ns
    FROM presence
    WHERE NOT joined AND ({path:String} = '' OR path = {path:String})
    GROUP BY path, agent, service, role, interface, boot_id
  )`;

// One agent in one block, its boots together. It is expected from announced_ns until gone_ns (times of storing).
const AGENTS = `agent_boot AS (
    SELECT path, interval_ns, block_number, agent, service, role, interface, boot_id,
      min(a.announced_ns) AS announced_ns,
      if(any(d.left_ns) > 0 AND any(d.left_ns) <= interval_ns * block_number, any(d.left_stored_ns), ${ENDLESS})
        AS gone_ns,
      max(a.counted) AS counted, groupArrayArray(a.heard) AS heard, anyIf(a.kernel, a.counted) AS kernel,
      anyIf(a.clock_known, a.counted) AS clock_known, anyIf(a.clock_error_ns, a.counted) AS clock_error_ns,
      anyIf(a.clock_offset_ns, a.counted) AS clock_offset_ns, anyIf(a.guard_ns, a.counted) AS guard_ns,
      anyIf(a.covered, a.counted) AS covered, anyIf(a.rules, a.counted) AS rules,
      anyIf(a.overflowed, a.counted) AS overflowed, anyIf(a.stepped, a.counted) AS stepped,
      anyIf(a.unmatched, a.counted) AS unmatched,
      anyIf(a.packets, a.counted) AS packets, anyIf(a.out_of_guard, a.counted) AS out_of_guard,
      anyIf(a.repeated, a.counted) AS repeated, anyIf(a.whole, a.counted) AS whole,
      anyIf(a.whole_ns, a.counted) AS whole_ns, anyIf(a.reports, a.counted) AS reports
    FROM announced AS a
    LEFT JOIN departure AS d USING (path, agent, service, role, interface, boot_id)
    WHERE interval_ns * block_number >= {from_ns:UInt64} AND interval_ns * block_number < {to_ns:UInt64}
    GROUP BY path, interval_ns, block_number, agent, service, role, interface, boot_id
  ),
  agent_counted AS (
    SELECT path, interval_ns, block_number, agent, service, role, interface,
      min(b.announced_ns) AS announced_ns, max(b.gone_ns) AS gone_ns,
      max(b.counted) AS counted, minIf(b.whole, b.counted) AS whole, maxIf(b.whole_ns, b.counted) AS whole_ns,
      groupArrayIf((b.kernel, b.clock_known, b.clock_error_ns, b.clock_offset_ns, b.guard_ns), b.counted) AS clocks,
      maxIf(b.packets > 0, b.counted) AS saw_packets, maxIf(b.out_of_guard > 0, b.counted) AS off_guard,
      maxIf(b.stepped, b.counted) AS stepped, maxIf(b.repeated, b.counted) AS repeated,
      maxIf(b.overflowed, b.counted) AS overflowed, maxIf(b.unmatched, b.counted) AS unmatched,
      groupArrayArray(b.heard) AS heard,
      groupUniqArrayArrayIf(b.rules, b.counted) AS rules, groupUniqArrayArrayIf(b.reports, b.counted) AS reports,
      groupArrayArrayIf(b.covered, b.counted) AS covered, maxIf(b.guard_ns, b.counted) AS guard_ns,
      groupArrayIf((arrayMin(b.covered.1), arrayMax(b.covered.2)), b.counted) AS spans
    FROM agent_boot AS b
    GROUP BY path, interval_ns, block_number, agent, service, role, interface
  ),
  agent_edges AS (
    SELECT *,
      interval_ns * block_number AS start_ns, interval_ns * block_number + interval_ns AS end_ns,
      toInt64(if(role = 'sink', guard_ns, 0)) AS band_ns
    FROM agent_counted
  ),
  agent_block AS (
    SELECT path, interval_ns, block_number, start_ns, end_ns, agent, service, role, interface, announced_ns, gone_ns,
      counted, if(counted AND whole, whole_ns, ${ENDLESS}) AS reported_ns, clocks, saw_packets, off_guard, repeated,
      overflowed, unmatched, rules, reports, stepped,
      counted AND arrayExists(x -> arrayExists(y -> x.1 = y.1 AND x.2 < y.2 AND x.3 < y.4 AND y.3 < x.4
        AND NOT x.5 AND NOT y.5, heard), heard) AS twinned,
      arrayCount(x -> x.1 <= start_ns AND x.2 >= end_ns, spans) > 1 AS doubled,
      NOT counted OR arrayFold(
        (reach, c) -> if(toInt64(c.1) <= reach, greatest(reach, toInt64(c.2)), reach),
        arraySort(covered), toInt64(start_ns) - band_ns) >= toInt64(end_ns) + band_ns AS watched_whole
    FROM agent_edges
  )`;

// Since when each agent reports, and when the sink side last counted a packet before the range. Both are read from
// the hourly projection, but for the hour that the range begins in.
const HISTORY = `first_seen AS (
    SELECT path, agent, service, role, interface, min(start_ns) AS first_ns
    FROM loss_record
    WHERE {path:String} = '' OR path = {path:String}
    GROUP BY path, agent, service, role, interface
  ),
  counted_before AS (
    SELECT path, max(counted_ns) AS counted_before_ns
    FROM (
      SELECT path, maxIf(start_ns, packets > 0) AS counted_ns
      FROM loss_record
      WHERE role = 'sink' AND ({path:String} = '' OR path = {path:String})
        AND intDiv(start_ns, 3600000000000) < intDiv({from_ns:UInt64}, 3600000000000)
      GROUP BY path
      UNION ALL
      SELECT path, maxIf(start_ns, packets > 0) AS counted_ns
      FROM loss_record
      WHERE role = 'sink' AND ({path:String} = '' OR path = {path:String})
        AND start_ns >= intDiv({from_ns:UInt64}, 3600000000000) * 3600000000000 AND start_ns < {from_ns:UInt64}
      GROUP BY path
    )
    GROUP BY path
  )`;

// What was watched in blocks of which length, for paths that have more than one.
const OTHER_INTERVALS = `(
    SELECT max(interval_ns) FROM loss_record
    WHERE path != '' AND ({path:String} = '' OR path = {path:String})
      AND start_ns >= {from_ns:UInt64} AND start_ns < {to_ns:UInt64}
  ) AS longest_ns,
  watched AS (
    SELECT path, if(uniqExact(interval_ns) > 1, groupUniqArray((interval_ns,
      greatest(covered_from_ns, start_ns), least(covered_to_ns, start_ns + interval_ns))), []) AS intervals
    FROM loss_record
    WHERE path != '' AND ({path:String} = '' OR path = {path:String})
      AND start_ns < {to_ns:UInt64} + longest_ns AND start_ns + 3 * interval_ns >= {from_ns:UInt64}
    GROUP BY path
  )`;

// One block of one path: what all its agents say. "members" is who is expected and who has reported, when.
const BLOCKS = `block AS (
    SELECT a.path AS path, a.interval_ns AS interval_ns, a.block_number AS block_number,
      any(a.start_ns) AS start_ns, any(a.end_ns) AS end_ns,
      any(a.end_ns) + intDiv(interval_ns, 2) + greatest(2 * interval_ns, 10000000000) AS deadline_ns,
      groupArray((role, announced_ns, gone_ns, reported_ns)) AS members,
      arrayFlatten(groupArrayIf(clocks, role = 'source')) AS sources,
      arrayFlatten(groupArrayIf(clocks, role = 'sink')) AS sinks,
      min(watched_whole) AS watched_whole, max(stepped) AS clock_stepped,
      max(doubled OR twinned OR repeated) AS duplicate, max(role = 'sink' AND unmatched > 0) AS unmatched, max(off_guard) AS off_guard,
      max(role = 'sink' AND saw_packets) AS sink_counted,
      length(groupUniqArrayArray(rules)) > 1 AS rules_differ,
      maxIf(f.first_ns, counted) AS newest_ns,
      groupUniqArrayArray(reports) AS all_reports,
      arraySort(groupUniqArrayIf(agent, counted)) AS agents,
      groupUniqArrayIf((agent, service, role, interface), overflowed) AS full_agents
    FROM agent_block AS a
    LEFT JOIN first_seen AS f USING (path, agent, service, role, interface)
    GROUP BY path, interval_ns, block_number
    HAVING max(counted)
  )`;

// The verdict on a block, but for what depends on one flow's numbers.
const VERDICTS = `block_facts AS (
    SELECT b.path AS path, b.interval_ns AS interval_ns, b.block_number AS block_number, b.start_ns AS start_ns,
      deadline_ns, agents, full_agents, all_reports, watched_whole, off_guard, clock_stepped, rules_differ, duplicate,
      unmatched, newest_ns, members,
      arrayExists(m -> m.1 = 'source' AND m.4 != ${ENDLESS}, members) AS source_reported,
      arrayExists(m -> m.1 = 'sink' AND m.4 != ${ENDLESS}, members) AS sink_reported,
      arrayExists(m -> m.1 = 'source' AND m.3 = ${ENDLESS} AND m.4 = ${ENDLESS}, members) AS source_awaited,
      arrayExists(m -> m.1 = 'sink' AND m.3 = ${ENDLESS} AND m.4 = ${ENDLESS}, members) AS sink_awaited,
      arrayMin(arrayPushBack(arrayFilter(t ->
        arrayAll(m -> m.2 > t OR m.3 <= t OR m.4 <= t, members)
        AND arrayExists(m -> m.1 = 'source' AND m.4 <= t, members)
        AND arrayExists(m -> m.1 = 'sink' AND m.4 <= t, members),
        arrayConcat(members.3, members.4)), deadline_ns)) AS decided_ns,
      arrayExists(i -> i.1 != interval_ns AND i.2 < i.3 AND i.2 < end_ns AND i.3 > start_ns, w.intervals)
        AS conflicting,
      greatest(c.counted_before_ns,
        max(if(sink_counted, start_ns, 0)) OVER (PARTITION BY path ORDER BY start_ns)) AS counted_ns,
      arrayExists(s -> arrayExists(k -> (s.1 != k.1 OR s.1 = '') AND (NOT s.2 OR NOT k.2
        OR greatest(s.3 + k.3, s.4, k.4) > least(s.5, k.5)), sinks), sources) AS clocks_differ
    FROM block AS b
    LEFT JOIN counted_before AS c USING (path)
    LEFT JOIN watched AS w USING (path)
  ),
  verdict AS (
    SELECT path, interval_ns, block_number, start_ns, deadline_ns, decided_ns, agents, full_agents, conflicting,
      unmatched,
      source_reported AND sink_reported AS both_sides,
      source_reported AND sink_reported AND NOT source_awaited AND NOT sink_awaited AS all_reported,
      NOT source_reported OR (sink_reported AND source_awaited) AS missing_source,
      {now_ns:UInt64} < decided_ns AS pending,
      arrayConcat(arrayFilter(t -> t > decided_ns, all_reports.3),
        arrayFilter(t -> t > decided_ns AND NOT has(all_reports.3, t), members.2)) AS changes,
      if(pending, 0, 1 + length(changes)) AS revision,
      if(pending, 0, arrayMax(arrayPushBack(changes, decided_ns))) AS changed_ns,
      arrayFilter(r -> r > 0, [if(watched_whole, 0, 1), if(off_guard, 2, 0), if(clocks_differ, 3, 0),
        if(clock_stepped, 4, 0), if(rules_differ OR conflicting, 5, 0), if(counted_ns < newest_ns, 6, 0),
        if(duplicate, 9, 0)]) AS found
    FROM block_facts
  )`;

// Fragments have no ports, so those that are made on the way may be in another flow than the packets that they were
// made of: they spoil the whole block.
// One flow of one block, both sides. Where a table was full, a flow that one side or one of the full tables lacks may
// be in that table's "other", so it is moved there on both sides. So is one of which more was received than sent: it
// got its entry in the midst of the block, and the rest is in the source's "other". If then "other" itself received
// more than was sent, the sink's holds packets of flows that seem to have lost some: those are moved as well.
const FLOWS = `entry AS (
    SELECT path, interval_ns, block_number, name,
      sumIf(flow_packets, role = 'source') AS sent_packets, sumIf(flow_packets, role = 'sink') AS received_packets,
      sumIf(flow_l3_bytes, role = 'source') AS sent_l3_bytes, sumIf(flow_l3_bytes, role = 'sink') AS received_l3_bytes,
      sumIf(flow_fragments, role = 'source') AS sent_fragments,
      sumIf(flow_fragments, role = 'sink') AS received_fragments,
      groupUniqArray((agent, service, role, interface)) AS carriers
    FROM loss_record
    ARRAY JOIN flow_names AS name, flow_packets, flow_l3_bytes, flow_fragments
    WHERE path != '' AND ({path:String} = '' OR path = {path:String})
      AND start_ns >= {from_ns:UInt64} AND start_ns < {to_ns:UInt64}
    GROUP BY path, interval_ns, block_number, name
  ),
  placed AS (
    SELECT e.path AS path, e.interval_ns AS interval_ns, e.block_number AS block_number,
      e.sent_packets AS sent, e.received_packets AS received, e.sent_l3_bytes AS sent_bytes,
      e.received_l3_bytes AS received_bytes, e.sent_fragments AS sent_pieces, e.received_fragments AS received_pieces,
      v.both_sides AND notEmpty(v.full_agents) AS overflowing,
      if(overflowing AND (received > sent OR NOT has(e.carriers.3, 'source') OR NOT has(e.carriers.3, 'sink')
        OR arrayExists(a -> NOT has(e.carriers, a), v.full_agents)), 'other', e.name) AS place,
      sumIf(toInt64(sent) - toInt64(received), place = 'other')
        OVER (PARTITION BY path, interval_ns, block_number) AS rest,
      v.start_ns AS start_ns, v.deadline_ns AS deadline_ns, v.decided_ns AS decided_ns, v.changed_ns AS changed_ns,
      v.agents AS agents, v.revision AS revision, v.pending AS pending, v.all_reported AS all_reported,
      v.conflicting AS conflicting, v.missing_source AS missing_source, v.found AS found, v.unmatched AS unmatched,
      notEmpty(v.full_agents) AS overflowed
    FROM entry AS e INNER JOIN verdict AS v USING (path, interval_ns, block_number)
  ),
  flow_sums AS (
    SELECT path, interval_ns, block_number, if(overflowing AND sent > received AND rest < 0, 'other', place) AS flow,
      sum(sent) AS sent_packets, sum(received) AS received_packets,
      sum(sent_bytes) AS sent_l3_bytes, sum(received_bytes) AS received_l3_bytes,
      sum(received_pieces) > sum(sent_pieces) AS has_new_pieces,
      any(p.start_ns) AS start_ns, any(p.deadline_ns) AS deadline_ns, any(p.decided_ns) AS decided_ns,
      any(p.changed_ns) AS changed_ns, any(p.agents) AS agents, any(p.revision) AS revision,
      any(p.pending) AS pending, any(p.all_reported) AS all_reported, any(p.conflicting) AS conflicting,
      any(p.missing_source) AS missing_source, any(p.found) AS found, any(p.unmatched) AS unmatched,
      any(p.overflowed) AS overflowed
    FROM placed AS p
    GROUP BY path, interval_ns, block_number, flow
  ),
  fragmented_block AS (
    SELECT *, unmatched OR max(has_new_pieces) OVER (PARTITION BY path, interval_ns, block_number) AS fragmented
    FROM flow_sums
  ),
  flow AS (
    SELECT *, toInt64(sent_packets) - toInt64(received_packets) AS difference,
      if(all_reported, arrayFilter(r -> r > 0, arrayConcat(found, [if(received_packets > sent_packets, 7, 0),
        if(fragmented, 8, 0)])), if(conflicting, [5], [])) AS faults
    FROM fragmented_block
  )`;
