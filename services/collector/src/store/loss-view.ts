/**
 * The loss rule: what a block's counters say, and how far they can be trusted. The only place where it is written.
 *
 * `loss(now_ns=…, from_ns=…, to_ns=…, path=…)` answers one row per path, interval, block and flow for the blocks that
 * start in [from_ns, to_ns) and of which at least one record is stored. An empty `path` means every path. `now_ns`
 * decides what is still PENDING.
 *
 * Verdicts and reasons are the numbers of waymark.query.v1.LossVerdict and LossReason.
 *
 * @see RFC 9341 sections 3.1 and 5 (block, guard band), RFC 9342 (several sources and sinks are summed)
 */
export function lossView(): string {
  return `CREATE OR REPLACE VIEW loss AS
WITH
  (SELECT toInt64(max(interval_ns)) FROM loss_record) AS longest_ns,
  ${BOOTS},
  ${EXPECTED},
  ${AGENTS},
  ${HISTORY},
  ${OTHER_INTERVALS},
  ${BLOCKS},
  ${VERDICTS},
  ${FLOWS}
SELECT
  f.path AS path, f.interval_ns AS interval_ns, f.block_number AS block_number, v.start_ns AS start_ns, f.flow AS flow,
  f.sent_packets AS sent_packets, f.received_packets AS received_packets,
  f.sent_l3_bytes AS sent_l3_bytes, f.received_l3_bytes AS received_l3_bytes,
  toInt64(f.sent_packets) - toInt64(f.received_packets) AS difference,
  arrayConcat(v.reasons,
    if(v.all_reported AND difference < 0, [7], []),
    if(v.all_reported AND f.received_fragments > f.sent_fragments, [8], [])) AS faults,
  multiIf(v.pending, 1, v.all_reported, if(empty(faults), 2, 5), v.conflicting, 5, v.missing_source, 4, 3) AS verdict,
  if(verdict IN (2, 5),
    arraySort(if(v.overflowed AND f.flow = 'other', arrayPushBack(faults, 10), faults)), []) AS reasons,
  verdict IN (2, 5) AND v.all_reported AND NOT has(faults, 6) AS numbered,
  if(numbered, difference, 0) AS lost_packets,
  if(numbered AND f.sent_packets > 0, difference / f.sent_packets, 0) AS loss_ratio,
  v.revision AS revision, v.agents AS agents, v.deadline_ns AS deadline_ns
FROM flow AS f INNER JOIN verdict AS v USING (path, interval_ns, block_number)`;
}

const ENDLESS = "18446744073709551615";

// What one boot of one agent said of one block, its parts together.
const BOOTS = `boot AS (
    SELECT path, interval_ns, block_number, agent, service, role, interface, boot_id,
      any(kernel_boot_id) AS kernel,
      min(synchronised OR trusted) AS clock_known,
      max(if(trusted, 0, max_error_ns)) AS clock_error_ns,
      max(abs(clock_offset_ns)) AS clock_offset_ns,
      min(guard_ns) AS guard_ns,
      groupArray((covered_from_ns, covered_to_ns)) AS covered,
      groupUniqArray(rule_hash) AS rules,
      max(overflowed) AS overflowed, max(clock_stepped) AS stepped,
      sum(packets) AS packets, sum(out_of_guard) AS out_of_guard,
      count() > uniqExact(part) AS repeated,
      uniqExact(part) = max(parts) AS whole,
      arrayMax(minMap([part], [stored_ns]).2) AS whole_ns,
      min(stored_ns) AS announced_ns,
      groupUniqArray((boot_id, sequence, stored_ns)) AS reports
    FROM loss_record
    WHERE path != '' AND ({path:String} = '' OR path = {path:String})
      AND start_ns >= toInt64({from_ns:UInt64}) - 3 * longest_ns AND start_ns < {to_ns:UInt64}
      AND start_ns + 3 * interval_ns >= {from_ns:UInt64}
    GROUP BY path, interval_ns, block_number, agent, service, role, interface, boot_id
  )`;

// A record or a JOINED announces its boot for its block and the three after it; a LEFT ends that.
const EXPECTED = `announced AS (
    SELECT path, interval_ns, block_number + ahead AS block_number, agent, service, role, interface, boot_id,
      announced_ns, ahead = 0 AS counted,
      kernel, clock_known, clock_error_ns, clock_offset_ns, guard_ns, covered, rules, overflowed, stepped, packets,
      out_of_guard, repeated, whole, whole_ns, reports
    FROM boot ARRAY JOIN [0, 1, 2, 3] AS ahead
    UNION ALL
    SELECT path, interval_ns, intDiv(at_ns, interval_ns) + ahead AS block_number, agent, service, role, interface,
      boot_id, stored_ns AS announced_ns, 0 AS counted,
      '' AS kernel, 0 AS clock_known, 0 AS clock_error_ns, 0 AS clock_offset_ns, 0 AS guard_ns, [] AS covered,
      [] AS rules, 0 AS overflowed, 0 AS stepped, 0 AS packets, 0 AS out_of_guard, 0 AS repeated, 0 AS whole,
      0 AS whole_ns, [] AS reports
    FROM presence ARRAY JOIN [0, 1, 2, 3] AS ahead
    WHERE joined AND ({path:String} = '' OR path = {path:String})
      AND at_ns >= toInt64({from_ns:UInt64}) - 4 * longest_ns AND at_ns < toInt64({to_ns:UInt64}) + longest_ns
  ),
  departure AS (
    SELECT path, agent, service, role, interface, boot_id, min(at_ns) AS left_ns, min(stored_ns) AS left_stored_ns
    FROM presence
    WHERE NOT joined AND ({path:String} = '' OR path = {path:String})
    GROUP BY path, agent, service, role, interface, boot_id
  )`;

// One agent in one block, its boots together. It is expected from announced_ns until gone_ns (times of storing).
const AGENTS = `agent_block AS (
    SELECT path, interval_ns, block_number, agent, service, role, interface,
      interval_ns * block_number AS block_start_ns, block_start_ns + interval_ns AS block_end_ns,
      min(boot_announced_ns) AS announced_ns, max(boot_gone_ns) AS gone_ns,
      countIf(boot_counted) > 0 AS counted,
      counted AND minIf(boot_whole, boot_counted) AS reported,
      if(reported, maxIf(boot_whole_ns, boot_counted), ${ENDLESS}) AS reported_ns,
      groupArrayIf((boot_kernel, boot_clock_known, boot_clock_error_ns, boot_clock_offset_ns, boot_guard_ns),
        boot_counted) AS clocks,
      maxIf(boot_packets > 0, boot_counted) AS saw_packets,
      maxIf(boot_out_of_guard > 0, boot_counted) AS out_of_guard,
      maxIf(boot_stepped, boot_counted) AS stepped,
      maxIf(boot_repeated, boot_counted) AS repeated,
      maxIf(boot_overflowed, boot_counted) AS overflowed,
      groupUniqArrayArrayIf(boot_rules, boot_counted) AS rules,
      groupUniqArrayArrayIf(boot_reports, boot_counted) AS reports,
      arraySort(groupArrayArrayIf(boot_covered, boot_counted)) AS covered,
      groupArrayIf((arrayMin(boot_covered.1), arrayMax(boot_covered.2)), boot_counted) AS spans,
      arrayEnumerate(spans) AS nth,
      arrayExists((x, i) -> arrayExists((y, j) -> j > i AND x.1 < y.2 AND y.1 < x.2, spans, nth), spans, nth)
        AS overlapping,
      arrayCount(x -> x.1 <= block_start_ns AND x.2 >= block_end_ns, spans) > 1 AS doubled,
      if(role = 'sink', toInt64(maxIf(boot_guard_ns, boot_counted)), 0) AS band_ns,
      NOT counted OR arrayFold(
        (reach, c) -> if(toInt64(c.1) <= reach, greatest(reach, toInt64(c.2)), reach),
        covered, toInt64(block_start_ns) - band_ns) >= toInt64(block_end_ns) + band_ns AS complete
    FROM (
      SELECT path, interval_ns, block_number, agent, service, role, interface, boot_id,
        min(a.announced_ns) AS boot_announced_ns,
        if(any(d.left_ns) > 0 AND any(d.left_ns) <= interval_ns * block_number, any(d.left_stored_ns), ${ENDLESS})
          AS boot_gone_ns,
        max(counted) AS boot_counted, anyIf(kernel, counted) AS boot_kernel,
        anyIf(clock_known, counted) AS boot_clock_known, anyIf(clock_error_ns, counted) AS boot_clock_error_ns,
        anyIf(clock_offset_ns, counted) AS boot_clock_offset_ns, anyIf(guard_ns, counted) AS boot_guard_ns,
        anyIf(covered, counted) AS boot_covered, anyIf(rules, counted) AS boot_rules,
        anyIf(overflowed, counted) AS boot_overflowed, anyIf(stepped, counted) AS boot_stepped,
        anyIf(packets, counted) AS boot_packets, anyIf(out_of_guard, counted) AS boot_out_of_guard,
        anyIf(repeated, counted) AS boot_repeated, anyIf(whole, counted) AS boot_whole,
        anyIf(whole_ns, counted) AS boot_whole_ns, anyIf(reports, counted) AS boot_reports
      FROM announced AS a
      LEFT JOIN departure AS d USING (path, agent, service, role, interface, boot_id)
      WHERE interval_ns * block_number >= {from_ns:UInt64} AND interval_ns * block_number < {to_ns:UInt64}
      GROUP BY path, interval_ns, block_number, agent, service, role, interface, boot_id
    )
    GROUP BY path, interval_ns, block_number, agent, service, role, interface
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
const OTHER_INTERVALS = `watched AS (
    SELECT path, if(uniqExact(interval_ns) > 1, groupUniqArray((interval_ns,
      greatest(covered_from_ns, start_ns), least(covered_to_ns, start_ns + interval_ns))), []) AS intervals
    FROM loss_record
    WHERE path != '' AND ({path:String} = '' OR path = {path:String})
      AND start_ns >= toInt64({from_ns:UInt64}) - longest_ns AND start_ns < toInt64({to_ns:UInt64}) + longest_ns
    GROUP BY path
  )`;

// One block of one path: what all its agents say. "members" is who is expected and who has reported, when.
const BLOCKS = `block AS (
    SELECT a.path AS path, a.interval_ns AS interval_ns, a.block_number AS block_number,
      any(block_start_ns) AS start_ns, any(block_end_ns) AS end_ns,
      end_ns + intDiv(interval_ns, 2) + greatest(2 * interval_ns, 10000000000) AS deadline_ns,
      groupArray((role, announced_ns, gone_ns, reported_ns)) AS members,
      arrayFlatten(groupArrayIf(clocks, role = 'source')) AS sources,
      arrayFlatten(groupArrayIf(clocks, role = 'sink')) AS sinks,
      min(complete) AS covered, max(stepped OR overlapping) AS clock_stepped, max(doubled OR repeated) AS duplicate,
      max(out_of_guard) AS off_guard, max(role = 'sink' AND saw_packets) AS sink_counted,
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
const VERDICTS = `verdict AS (
    SELECT path, interval_ns, block_number, start_ns, deadline_ns, agents, full_agents, notEmpty(full_agents) AS overflowed,
      arrayExists(m -> m.1 = 'source' AND m.4 != ${ENDLESS}, members) AS source_reported,
      arrayExists(m -> m.1 = 'sink' AND m.4 != ${ENDLESS}, members) AS sink_reported,
      arrayExists(m -> m.1 = 'source' AND m.3 = ${ENDLESS} AND m.4 = ${ENDLESS}, members) AS source_awaited,
      arrayExists(m -> m.1 = 'sink' AND m.3 = ${ENDLESS} AND m.4 = ${ENDLESS}, members) AS sink_awaited,
      source_reported AND sink_reported AND NOT source_awaited AND NOT sink_awaited AS all_reported,
      NOT source_reported OR (sink_reported AND source_awaited) AS missing_source,
      arrayMin(arrayPushBack(arrayFilter(t ->
        arrayAll(m -> m.2 > t OR m.3 <= t OR m.4 <= t, members)
        AND arrayExists(m -> m.1 = 'source' AND m.4 <= t, members)
        AND arrayExists(m -> m.1 = 'sink' AND m.4 <= t, members),
        arrayConcat(members.3, members.4)), deadline_ns)) AS decided_ns,
      {now_ns:UInt64} < decided_ns AS pending,
      if(pending, 0, 1 + arrayCount(r -> r.3 > decided_ns, all_reports)) AS revision,
      arrayExists(w -> w.1 != interval_ns AND w.2 < w.3 AND w.2 < end_ns AND w.3 > start_ns, w.intervals)
        AS conflicting,
      greatest(counted_before_ns,
        max(if(sink_counted, start_ns, 0)) OVER (PARTITION BY path ORDER BY start_ns)) AS counted_ns,
      arrayExists(s -> arrayExists(k -> (s.1 != k.1 OR s.1 = '') AND (NOT s.2 OR NOT k.2 OR s.3 + k.3 > least(s.5, k.5)
        OR s.4 > least(s.5, k.5) OR k.4 > least(s.5, k.5)), sinks), sources) AS clocks_differ,
      multiIf(all_reported, arrayConcat(
        if(covered, [], [1]), if(off_guard, [2], []), if(clocks_differ, [3], []), if(clock_stepped, [4], []),
        if(rules_differ OR conflicting, [5], []), if(counted_ns < newest_ns, [6], []), if(duplicate, [9], [])),
        conflicting, [5], []) AS reasons
    FROM block AS b
    LEFT JOIN counted_before AS c USING (path)
    LEFT JOIN watched AS w USING (path)
  )`;

// One flow of one block, both sides. Where a table was full, a flow that one side or one of the full tables lacks may
// be in that table's "other", so it is moved there on both sides.
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
  flow AS (
    SELECT e.path AS path, e.interval_ns AS interval_ns, e.block_number AS block_number,
      if(o.source_reported AND o.sink_reported AND notEmpty(o.full_agents) AND (
        NOT has(e.carriers.3, 'source') OR NOT has(e.carriers.3, 'sink')
        OR arrayExists(a -> NOT has(e.carriers, a), o.full_agents)), 'other', e.name) AS flow,
      sum(e.sent_packets) AS sent_packets, sum(e.received_packets) AS received_packets,
      sum(e.sent_l3_bytes) AS sent_l3_bytes, sum(e.received_l3_bytes) AS received_l3_bytes,
      sum(e.sent_fragments) AS sent_fragments, sum(e.received_fragments) AS received_fragments
    FROM entry AS e INNER JOIN verdict AS o USING (path, interval_ns, block_number)
    GROUP BY path, interval_ns, block_number, flow
  )`;
