-- The five largest tables of the Synthea site, written by hand for DuckDB: the time that Dure is measured against.
-- It does what the rows need and nothing that a run owes to people: no checks, no accounting, no reports, no manifest.
-- `:source`, `:vocabulary` and `:out` are replaced by folders before this runs.

create macro moment(x) as try_strptime(x, ['%Y-%m-%dT%H:%M:%SZ', '%Y-%m-%d']);
create macro entity_id(kind, key) as (hash(kind || '|' || key) & 9007199254740991)::bigint;
create macro event_id(kind, key) as (hash(kind || '|' || key) & 9223372036854775807)::bigint;
create macro source_file(name) as table
  select * from read_csv(':source/' || name || '.csv', all_varchar = true, header = true, delim = ',', quote = '"');

-- One row a (vocabulary, code, target): what prepare_vocabulary in floor.py left, as Dure reads its vocabulary store.
create temp table code as select * from read_parquet(':vocabulary/code.parquet');
create temp table unit as
  select code, target_concept_id as concept_id, source_concept_id from code
  where vocabulary_id = 'UCUM' and code not in ('{score}', 'U/L', 'kU/L', '/a')
  union all values ('{score}', 44777566, 0), ('U/L', 8645, 0), ('kU/L', 8810, 0), ('/a', 44777560, 0);
create temp table visit_class as
  from (values ('inpatient', 9201), ('outpatient', 9202), ('ambulatory', 9202), ('wellness', 9202), ('emergency', 9203),
               ('urgentcare', 9203), ('home', 581476), ('virtual', 5083), ('snf', 42898160), ('hospice', 8546)) t(class, concept_id);

create temp table person as
  select Id as key, entity_id('person', Id) as person_id from source_file('patients') where moment(BIRTHDATE) is not null;
create temp table provider as select Id as key, entity_id('provider', Id) as provider_id from source_file('providers');
create temp table care_site as select Id as key, entity_id('care_site', Id) as care_site_id from source_file('organizations');

create temp table visit as
  select e.Id as key, person_id, entity_id('visit', e.Id) as visit_occurrence_id, entity_id('detail', e.Id) as visit_detail_id,
         coalesce(c.concept_id, 0)::int as concept_id, moment(e.START) as starts, coalesce(moment(e.STOP), moment(e.START)) as ends,
         provider_id, care_site_id, ENCOUNTERCLASS as class
  from source_file('encounters') e
  join person p on p.key = e.PATIENT
  left join provider d on d.key = e.PROVIDER
  left join care_site s on s.key = e.ORGANIZATION
  left join visit_class c on c.class = e.ENCOUNTERCLASS
  where starts is not null and ends >= starts;

copy (
  select visit_occurrence_id, person_id, concept_id as visit_concept_id, starts::date as visit_start_date,
         starts as visit_start_datetime, ends::date as visit_end_date, ends as visit_end_datetime,
         32827::int as visit_type_concept_id, provider_id, care_site_id, class as visit_source_value,
         0::int as visit_source_concept_id, null::int as admitted_from_concept_id,
         null::varchar as admitted_from_source_value, null::int as discharged_to_concept_id,
         null::varchar as discharged_to_source_value,
         lag(visit_occurrence_id) over (partition by person_id order by starts, ends, visit_occurrence_id) as preceding_visit_occurrence_id
  from visit order by person_id, visit_occurrence_id
) to ':out/visit_occurrence.parquet' (format parquet, compression zstd);

copy (
  select visit_detail_id, person_id, concept_id as visit_detail_concept_id, starts::date as visit_detail_start_date,
         starts as visit_detail_start_datetime, ends::date as visit_detail_end_date, ends as visit_detail_end_datetime,
         32827::int as visit_detail_type_concept_id, provider_id, care_site_id, class as visit_detail_source_value,
         0::int as visit_detail_source_concept_id, null::int as admitted_from_concept_id,
         null::varchar as admitted_from_source_value, null::varchar as discharged_to_source_value,
         null::int as discharged_to_concept_id,
         lag(visit_detail_id) over (partition by visit_occurrence_id order by starts, ends, visit_detail_id) as preceding_visit_detail_id,
         null::bigint as parent_visit_detail_id, visit_occurrence_id
  from visit order by person_id, visit_detail_id
) to ':out/visit_detail.parquet' (format parquet, compression zstd);

-- One row a source row with a code, in the words of every table at once: `home` is the table that declared it.
create temp view coded as
  select 'condition_occurrence' as home, 'conditions' as rule, concat_ws('|', PATIENT, ENCOUNTER, CODE, START) as key,
         PATIENT as patient, ENCOUNTER as encounter, 'SNOMED' as vocabulary, CODE as code, START as starts, STOP as ends,
         32827 as kind, null::varchar as number, null::varchar as words, null::varchar as unit,
         null::varchar as reaction, null::varchar as allergen
  from source_file('conditions')
  union all by name
  select 'drug_exposure' as home, 'medications' as rule,
         concat_ws('|', PATIENT, ENCOUNTER, CODE, START, row_number() over (
           partition by PATIENT, ENCOUNTER, CODE, START order by BASE_COST, STOP, TOTALCOST)) as key,
         PATIENT as patient, ENCOUNTER as encounter, 'RxNorm' as vocabulary, CODE as code, START as starts, STOP as ends,
         32838 as kind
  from source_file('medications')
  union all by name
  select 'drug_exposure' as home, 'immunizations' as rule, concat_ws('|', PATIENT, ENCOUNTER, CODE, DATE) as key,
         PATIENT as patient, ENCOUNTER as encounter, 'CVX' as vocabulary, CODE as code, DATE as starts, 32818 as kind
  from source_file('immunizations')
  union all by name
  select 'procedure_occurrence' as home, 'procedures' as rule, concat_ws('|', PATIENT, ENCOUNTER, CODE, START) as key,
         PATIENT as patient, ENCOUNTER as encounter, 'SNOMED' as vocabulary, CODE as code, START as starts, STOP as ends,
         32827 as kind
  from source_file('procedures')
  union all by name
  select case TYPE when 'numeric' then 'measurement' else 'observation' end as home, 'observations' as rule,
         concat_ws('|', PATIENT, ENCOUNTER, CODE, DATE) as key, PATIENT as patient, ENCOUNTER as encounter,
         'LOINC' as vocabulary, CODE as code, DATE as starts,
         case CATEGORY when 'laboratory' then 32856 when 'survey' then 32862 else if(CATEGORY is null, 32882, 32827) end as kind,
         if(TYPE = 'numeric', VALUE, null) as number, if(TYPE = 'text', VALUE, null) as words, nullif(UNITS, 'null') as unit
  from source_file('observations') where CODE <> '56799-0'
  union all by name
  select 'observation' as home, 'allergies_' || n as rule, concat_ws('|', PATIENT, CODE, START) as key, PATIENT as patient,
         ENCOUNTER as encounter, if(SYSTEM = 'RxNorm', 'allergy', 'SNOMED') as vocabulary,
         if(SYSTEM = 'RxNorm', TYPE, CODE) as code, START as starts, 32827 as kind,
         if(n = 1, REACTION1, REACTION2) as reaction, if(SYSTEM = 'RxNorm', CODE, null) as allergen
  from source_file('allergies'), range(1, 3) r(n) where n = 1 or REACTION2 is not null;

create temp table event as
  select event_id(rule, concat_ws('|', e.key, c.target_concept_id)) as id, p.person_id, v.visit_occurrence_id, v.visit_detail_id,
         coalesce(case c.domain_id when 'Condition' then 'condition_occurrence' when 'Drug' then 'drug_exposure'
                  when 'Procedure' then 'procedure_occurrence' when 'Device' then 'device_exposure'
                  when 'Measurement' then 'measurement' when 'Specimen' then 'specimen'
                  else if(c.domain_id is null, e.home, 'observation') end, e.home) as home,
         coalesce(c.target_concept_id, 0)::int as concept_id, coalesce(c.source_concept_id, 0)::int as source_concept_id,
         e.code, moment(e.starts) as starts, moment(e.ends) as ends, kind::int as kind,
         try_cast(number as double) as number, coalesce(number, words) as said, if(try_cast(number as double) is null, coalesce(number, words), null) as words,
         unit, reaction, allergen
  from coded e
  join person p on p.key = e.patient
  left join visit v on v.key = e.encounter and v.person_id = p.person_id
  left join code c on c.vocabulary_id = e.vocabulary and c.code = e.code
  where moment(e.starts) is not null;

copy (
  select id as drug_exposure_id, person_id, concept_id as drug_concept_id, starts::date as drug_exposure_start_date,
         starts as drug_exposure_start_datetime,
         greatest(coalesce(ends::date, starts::date + if(kind = 32838, 29, 0)), starts::date) as drug_exposure_end_date,
         ends as drug_exposure_end_datetime, ends::date as verbatim_end_date, kind as drug_type_concept_id,
         null::varchar as stop_reason, null::int as refills, null::double as quantity, null::int as days_supply,
         null::varchar as sig, null::int as route_concept_id, null::varchar as lot_number, null::bigint as provider_id,
         visit_occurrence_id, visit_detail_id, code as drug_source_value, source_concept_id as drug_source_concept_id,
         null::varchar as route_source_value, null::varchar as dose_unit_source_value
  from event where home = 'drug_exposure' order by person_id, id
) to ':out/drug_exposure.parquet' (format parquet, compression zstd);

copy (
  select id as measurement_id, person_id, e.concept_id as measurement_concept_id, starts::date as measurement_date,
         starts as measurement_datetime, null::varchar as measurement_time, kind as measurement_type_concept_id,
         null::int as operator_concept_id, number as value_as_number, null::int as value_as_concept_id,
         if(unit is null, null, coalesce(u.concept_id, 0))::int as unit_concept_id, null::double as range_low,
         null::double as range_high, null::bigint as provider_id, visit_occurrence_id, visit_detail_id,
         e.code as measurement_source_value, e.source_concept_id as measurement_source_concept_id,
         unit as unit_source_value, if(unit is null, null, coalesce(u.source_concept_id, 0))::int as unit_source_concept_id,
         said as value_source_value, null::bigint as measurement_event_id, null::int as meas_event_field_concept_id
  from event e left join unit u on u.code = e.unit where home = 'measurement' order by person_id, id
) to ':out/measurement.parquet' (format parquet, compression zstd);

copy (
  select id as observation_id, person_id, e.concept_id as observation_concept_id, starts::date as observation_date,
         starts as observation_datetime, kind as observation_type_concept_id, number as value_as_number,
         words as value_as_string,
         case when allergen is not null then coalesce(d.target_concept_id, 0)
              when reaction is not null then coalesce(r.target_concept_id, 0)
              when words is not null and number is null then coalesce(a.target_concept_id, 0) end::int as value_as_concept_id,
         if(allergen is null or reaction is null, null, coalesce(r.target_concept_id, 0))::int as qualifier_concept_id,
         if(unit is null, null, coalesce(u.concept_id, 0))::int as unit_concept_id, null::bigint as provider_id,
         visit_occurrence_id, visit_detail_id, e.code as observation_source_value,
         e.source_concept_id as observation_source_concept_id, unit as unit_source_value,
         if(allergen is null, null, reaction) as qualifier_source_value,
         coalesce(said, allergen, reaction) as value_source_value, null::bigint as observation_event_id,
         null::int as obs_event_field_concept_id
  from event e
  left join unit u on u.code = e.unit
  left join code d on d.vocabulary_id = 'RxNorm' and d.code = e.allergen
  left join code r on r.vocabulary_id = 'SNOMED' and r.code = e.reaction
  left join code a on a.vocabulary_id = 'answer' and a.code = e.words
  where home = 'observation' order by person_id, id
) to ':out/observation.parquet' (format parquet, compression zstd);
