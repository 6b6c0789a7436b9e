-- The tables of the Synthea site, written by hand for DuckDB: the time that Dure is measured against.
-- It does what the rows need and nothing that a run owes to people: no checks, no accounting, no reports, no manifest.
-- `:source`, `:vocabulary` and `:out` are replaced by folders before this runs.

create macro moment(x) as try_strptime(x, ['%Y-%m-%dT%H:%M:%SZ', '%Y-%m-%d']);
create macro entity_id(kind, key) as (hash(kind || '|' || key) & 9007199254740991)::bigint;
create macro event_id(kind, key) as (hash(kind || '|' || key) & 9223372036854775807)::bigint;
create macro address_key(a, c, s, z) as concat_ws('|', coalesce(a, '\N'), coalesce(c, '\N'), coalesce(s, '\N'), coalesce(z, '\N'));
create macro source_file(name) as table
  select * from read_csv(':source/' || name || '.csv', all_varchar = true, header = true, delim = ',', quote = '"');

-- One row a (vocabulary, code, target): what prepare_vocabulary in floor.py left, as Dure reads its vocabulary store.
-- A cost belongs to the first target of its row.
create temp table code as
  select *, row_number() over (partition by vocabulary_id, code order by target_concept_id) as rank
  from read_parquet(':vocabulary/code.parquet');
create temp table unit as
  select code, target_concept_id as concept_id, source_concept_id from code
  where vocabulary_id = 'UCUM' and code not in ('{score}', 'U/L', 'kU/L', '/a')
  union all values ('{score}', 44777566, 0), ('U/L', 8645, 0), ('kU/L', 8810, 0), ('/a', 44777560, 0);
create temp table visit_class as
  from (values ('inpatient', 9201), ('outpatient', 9202), ('ambulatory', 9202), ('wellness', 9202), ('emergency', 9203),
               ('urgentcare', 9203), ('home', 581476), ('virtual', 5083), ('snf', 42898160), ('hospice', 8546)) t(class, concept_id);

create temp table short_map as
  from (values ('sex', 'M', 8507), ('sex', 'F', 8532), ('race', 'white', 8527), ('race', 'black', 8516),
               ('race', 'asian', 8515), ('race', 'native', 8657), ('race', 'hawaiian', 8557),
               ('ethnicity', 'hispanic', 38003563), ('ethnicity', 'nonhispanic', 38003564)) t(map, value, concept_id);

-- ------------------------------------------------------------------------------------------- people and places

create temp table location as
  select entity_id('location', key) as location_id, key, any_value(address) as address_1, any_value(city) as city,
         if(any_value(state) = 'Massachusetts', 'MA', any_value(state)) as state, any_value(zip) as zip,
         min(county) as county, any_value(lat) as latitude, any_value(lon) as longitude
  from (
    select address_key(ADDRESS, CITY, STATE, ZIP) as key, ADDRESS as address, CITY as city, STATE as state, ZIP as zip,
           COUNTY as county, LAT as lat, LON as lon from source_file('patients')
    union all
    select address_key(ADDRESS, CITY, STATE, ZIP), ADDRESS, CITY, STATE, ZIP, null, LAT, LON from source_file('organizations')
  ) group by key;

copy (
  select location_id, address_1, null::varchar as address_2, city, state, zip, county, key as location_source_value,
         null::int as country_concept_id, null::varchar as country_source_value, try_cast(latitude as double) as latitude,
         try_cast(longitude as double) as longitude
  from location order by location_id
) to ':out/location.parquet' (format parquet, compression zstd);

create temp table care_site as
  select Id as key, entity_id('care_site', Id) as care_site_id, NAME as name, location_id
  from source_file('organizations') o left join location l on l.key = address_key(o.ADDRESS, o.CITY, o.STATE, o.ZIP);

copy (
  select care_site_id, name as care_site_name, null::int as place_of_service_concept_id, location_id,
         key as care_site_source_value, null::varchar as place_of_service_source_value
  from care_site order by care_site_id
) to ':out/care_site.parquet' (format parquet, compression zstd);

create temp table provider as
  select p.Id as key, entity_id('provider', p.Id) as provider_id, p.NAME as name, GENDER as sex, SPECIALITY as specialty,
         care_site_id
  from source_file('providers') p left join care_site c on c.key = p.ORGANIZATION;

copy (
  select provider_id, name as provider_name, null::varchar as npi, null::varchar as dea,
         if(specialty is null, null, coalesce(s.target_concept_id, 0))::int as specialty_concept_id, care_site_id,
         null::int as year_of_birth, if(sex is null, null, coalesce(g.concept_id, 0))::int as gender_concept_id,
         p.key as provider_source_value, specialty as specialty_source_value,
         if(specialty is null, null, 0)::int as specialty_source_concept_id, sex as gender_source_value,
         if(sex is null, null, 0)::int as gender_source_concept_id
  from provider p
  left join code s on s.vocabulary_id = 'specialty' and s.code = p.specialty
  left join short_map g on g.map = 'sex' and g.value = p.sex
  order by provider_id
) to ':out/provider.parquet' (format parquet, compression zstd);

create temp table person as
  select p.Id as key, entity_id('person', p.Id) as person_id, moment(BIRTHDATE) as born, moment(DEATHDATE) as died,
         GENDER as sex, RACE as race, ETHNICITY as ethnicity, location_id
  from source_file('patients') p left join location l on l.key = address_key(p.ADDRESS, p.CITY, p.STATE, p.ZIP)
  where born is not null;

copy (
  select person_id, coalesce(g.concept_id, 0)::int as gender_concept_id, year(born)::int as year_of_birth,
         month(born)::int as month_of_birth, day(born)::int as day_of_birth, born as birth_datetime,
         coalesce(r.concept_id, 0)::int as race_concept_id, coalesce(e.concept_id, 0)::int as ethnicity_concept_id,
         location_id, null::bigint as provider_id, null::bigint as care_site_id, key as person_source_value,
         sex as gender_source_value, 0::int as gender_source_concept_id, race as race_source_value,
         0::int as race_source_concept_id, ethnicity as ethnicity_source_value, 0::int as ethnicity_source_concept_id
  from person p
  left join short_map g on g.map = 'sex' and g.value = p.sex
  left join short_map r on r.map = 'race' and r.value = p.race
  left join short_map e on e.map = 'ethnicity' and e.value = p.ethnicity
  order by person_id
) to ':out/person.parquet' (format parquet, compression zstd);

copy (
  select person_id, died::date as death_date, died as death_datetime, 32827::int as death_type_concept_id,
         null::int as cause_concept_id, null::varchar as cause_source_value, null::int as cause_source_concept_id
  from person where died is not null order by person_id
) to ':out/death.parquet' (format parquet, compression zstd);

create temp table payer_period as
  select event_id('coverage', concat_ws('|', t.PATIENT, START_YEAR, PAYER)) as payer_plan_period_id, person_id,
         moment(START_YEAR)::date as starts, moment(END_YEAR)::date as ends, y.NAME as payer, MEMBERID as member
  from source_file('payer_transitions') t
  join person p on p.key = t.PATIENT
  left join source_file('payers') y on y.Id = t.PAYER
  where starts is not null and ends >= starts;

copy (
  select payer_plan_period_id, person_id, starts as payer_plan_period_start_date, ends as payer_plan_period_end_date,
         if(payer is null, null, coalesce(c.target_concept_id, 0))::int as payer_concept_id, payer as payer_source_value,
         if(payer is null, null, 0)::int as payer_source_concept_id, null::int as plan_concept_id,
         null::varchar as plan_source_value, null::int as plan_source_concept_id, null::int as sponsor_concept_id,
         null::varchar as sponsor_source_value, null::int as sponsor_source_concept_id, member as family_source_value,
         null::int as stop_reason_concept_id, null::varchar as stop_reason_source_value,
         null::int as stop_reason_source_concept_id
  from payer_period p left join code c on c.vocabulary_id = 'payer' and c.code = p.payer
  order by person_id, payer_plan_period_id
) to ':out/payer_plan_period.parquet' (format parquet, compression zstd);

-- ------------------------------------------------------------------------------------------- visits

create temp table visit as
  select e.Id as key, person_id, entity_id('visit', e.Id) as visit_occurrence_id, entity_id('detail', e.Id) as visit_detail_id,
         coalesce(c.concept_id, 0)::int as concept_id, moment(e.START) as starts, coalesce(moment(e.STOP), moment(e.START)) as ends,
         provider_id, s.care_site_id, ENCOUNTERCLASS as class,
         try_cast(TOTAL_CLAIM_COST as double) as charge, try_cast(BASE_ENCOUNTER_COST as double) as cost,
         try_cast(PAYER_COVERAGE as double) as covered
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

-- ------------------------------------------------------------------------------------------- events

-- One row a source row with a code, in the words of every table at once: `home` is the table that declared it.
create temp view coded as
  select 'condition_occurrence' as home, 'conditions' as rule, concat_ws('|', PATIENT, ENCOUNTER, CODE, START) as key,
         PATIENT as patient, ENCOUNTER as encounter, 'SNOMED' as vocabulary, CODE as code, START as starts, STOP as ends,
         32827 as kind, null::varchar as number, null::varchar as words, null::varchar as unit,
         null::varchar as reaction, null::varchar as allergen, null::varchar as pieces, null::varchar as device,
         null::varchar as cost, null::varchar as covered
  from source_file('conditions')
  union all by name
  select 'drug_exposure' as home, 'medications' as rule,
         concat_ws('|', PATIENT, ENCOUNTER, CODE, START, row_number() over (
           partition by PATIENT, ENCOUNTER, CODE, START order by BASE_COST, STOP, TOTALCOST)) as key,
         PATIENT as patient, ENCOUNTER as encounter, 'RxNorm' as vocabulary, CODE as code, START as starts, STOP as ends,
         32838 as kind, TOTALCOST as cost, PAYER_COVERAGE as covered
  from source_file('medications')
  union all by name
  select 'drug_exposure' as home, 'immunizations' as rule, concat_ws('|', PATIENT, ENCOUNTER, CODE, DATE) as key,
         PATIENT as patient, ENCOUNTER as encounter, 'CVX' as vocabulary, CODE as code, DATE as starts, 32818 as kind,
         BASE_COST as cost
  from source_file('immunizations')
  union all by name
  select 'procedure_occurrence' as home, 'procedures' as rule, concat_ws('|', PATIENT, ENCOUNTER, CODE, START) as key,
         PATIENT as patient, ENCOUNTER as encounter, 'SNOMED' as vocabulary, CODE as code, START as starts, STOP as ends,
         32827 as kind, BASE_COST as cost
  from source_file('procedures')
  union all by name
  select 'procedure_occurrence' as home, 'careplans' as rule, Id as key, PATIENT as patient, ENCOUNTER as encounter,
         'SNOMED' as vocabulary, CODE as code, START as starts, STOP as ends, 32827 as kind
  from source_file('careplans')
  union all by name
  select 'procedure_occurrence' as home, 'imaging_studies' as rule, concat_ws('|', Id, PROCEDURE_CODE) as key,
         any_value(PATIENT) as patient, any_value(ENCOUNTER) as encounter, 'SNOMED' as vocabulary, PROCEDURE_CODE as code,
         min(DATE) as starts, 32827 as kind
  from source_file('imaging_studies') group by Id, PROCEDURE_CODE
  union all by name
  select 'device_exposure' as home, 'devices' as rule, concat_ws('|', PATIENT, ENCOUNTER, CODE, START) as key,
         PATIENT as patient, ENCOUNTER as encounter, 'SNOMED' as vocabulary, CODE as code, START as starts, STOP as ends,
         32827 as kind, UDI as device
  from source_file('devices')
  union all by name
  select 'device_exposure' as home, 'supplies' as rule, concat_ws('|', PATIENT, ENCOUNTER, CODE, DATE) as key,
         PATIENT as patient, ENCOUNTER as encounter, 'SNOMED' as vocabulary, CODE as code, DATE as starts,
         32827 as kind, QUANTITY as pieces
  from source_file('supplies')
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
         unit, reaction, allergen, try_cast(pieces as int) as pieces, device, rule, c.rank is null or c.rank = 1 as is_first,
         try_cast(e.cost as double) as cost, try_cast(e.covered as double) as covered
  from coded e
  join person p on p.key = e.patient
  left join visit v on v.key = e.encounter and v.person_id = p.person_id
  left join code c on c.vocabulary_id = e.vocabulary and c.code = e.code
  where moment(e.starts) is not null;

copy (
  select id as condition_occurrence_id, person_id, concept_id as condition_concept_id,
         starts::date as condition_start_date, starts as condition_start_datetime, ends::date as condition_end_date,
         ends as condition_end_datetime, kind as condition_type_concept_id, null::int as condition_status_concept_id,
         null::varchar as stop_reason, null::bigint as provider_id, visit_occurrence_id, visit_detail_id,
         code as condition_source_value, source_concept_id as condition_source_concept_id,
         null::varchar as condition_status_source_value
  from event where home = 'condition_occurrence' order by person_id, id
) to ':out/condition_occurrence.parquet' (format parquet, compression zstd);

copy (
  select id as procedure_occurrence_id, person_id, concept_id as procedure_concept_id, starts::date as procedure_date,
         starts as procedure_datetime, ends::date as procedure_end_date, ends as procedure_end_datetime,
         kind as procedure_type_concept_id, null::int as modifier_concept_id, pieces as quantity,
         null::bigint as provider_id, visit_occurrence_id, visit_detail_id, code as procedure_source_value,
         source_concept_id as procedure_source_concept_id, null::varchar as modifier_source_value
  from event where home = 'procedure_occurrence' order by person_id, id
) to ':out/procedure_occurrence.parquet' (format parquet, compression zstd);

copy (
  select id as device_exposure_id, person_id, concept_id as device_concept_id, starts::date as device_exposure_start_date,
         starts as device_exposure_start_datetime, ends::date as device_exposure_end_date,
         ends as device_exposure_end_datetime, kind as device_type_concept_id, device as unique_device_id,
         null::varchar as production_id, pieces as quantity, null::bigint as provider_id, visit_occurrence_id,
         visit_detail_id, code as device_source_value, source_concept_id as device_source_concept_id,
         null::int as unit_concept_id, null::varchar as unit_source_value, null::int as unit_source_concept_id
  from event where home = 'device_exposure' order by person_id, id
) to ':out/device_exposure.parquet' (format parquet, compression zstd);

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

-- ------------------------------------------------------------------------------------------- costs

create temp table claim_cost as
  select c.Id as key, visit_detail_id, case HEALTHCARECLAIMTYPEID1 when '1' then 32871 when '2' then 32845 else 0 end as kind,
         t.charge, t.paid, t.copay
  from source_file('claims') c
  join visit v on v.key = c.APPOINTMENTID
  left join (
    select CLAIMID as claim, sum(try_cast(AMOUNT as decimal(18, 2))) filter (TYPE = 'CHARGE')::double as charge,
           sum(try_cast(PAYMENTS as decimal(18, 2)))::double as paid,
           sum(try_cast(PAYMENTS as decimal(18, 2))) filter (METHOD = 'COPAY')::double as copay
    from source_file('claims_transactions') group by CLAIMID
  ) t on t.claim = c.Id;

copy (
  select event_id('cost', id) as cost_id, event as cost_event_id, domain as cost_domain_id, kind::int as cost_type_concept_id,
         44818668::int as currency_concept_id, charge as total_charge, cost as total_cost, paid as total_paid,
         covered as paid_by_payer, null::double as paid_by_patient, copay as paid_patient_copay,
         null::double as paid_patient_coinsurance, null::double as paid_patient_deductible,
         null::double as paid_by_primary, null::double as paid_ingredient_cost, null::double as paid_dispensing_fee,
         null::bigint as payer_plan_period_id, null::double as amount_allowed, null::int as revenue_code_concept_id,
         null::varchar as revenue_code_source_value, null::int as drg_concept_id, null::varchar as drg_source_value
  from (
    select 'visit|' || visit_detail_id as id, visit_detail_id as event, 'Visit' as domain, 32814 as kind, charge, cost,
           null::double as paid, covered, null::double as copay
    from visit
    union all by name
    select 'event|' || id as id, id as event,
           case home when 'condition_occurrence' then 'Condition' when 'drug_exposure' then 'Drug'
                when 'procedure_occurrence' then 'Procedure' when 'device_exposure' then 'Device'
                when 'measurement' then 'Measurement' when 'specimen' then 'Specimen' else 'Observation' end as domain,
           32814 as kind, cost, covered
    from event where is_first and rule in ('medications', 'immunizations', 'procedures')
    union all by name
    select 'claim|' || key as id, visit_detail_id as event, 'Visit' as domain, kind, charge, paid, copay from claim_cost
  ) order by cost_id
) to ':out/cost.parquet' (format parquet, compression zstd);

-- ------------------------------------------------------------------------------------------- what follows from the rest

copy (
  select entity_id('period', person_id::varchar) as observation_period_id, person_id,
         greatest(min(first), any_value(born)::date) as observation_period_start_date,
         least(max(last), date '2024-02-03') as observation_period_end_date, 32882::int as period_type_concept_id
  from (
    select person_id, starts::date as first, starts::date as last from event where home <> 'specimen'
    union all
    select person_id, starts::date, ends::date from visit
  ) join person using (person_id)
  group by person_id having greatest(min(first), any_value(born)::date) <= least(max(last), date '2024-02-03')
  order by person_id
) to ':out/observation_period.parquet' (format parquet, compression zstd);

-- Eras: a row more than 30 days after the latest end so far begins the next one.
create temp view spans as
  select 'condition' as kind, person_id, concept_id, starts::date as first,
         greatest(coalesce(ends::date, starts::date), starts::date) as last
  from event where home = 'condition_occurrence' and concept_id <> 0
  union all
  select 'drug', person_id, ingredient_concept_id, starts::date,
         greatest(coalesce(ends::date, starts::date + if(event.kind = 32838, 29, 0)), starts::date)
  from event join read_parquet(':vocabulary/ingredient.parquet') i on i.drug_concept_id = concept_id
  where home = 'drug_exposure';

create temp table era as
  with ordered as (
    select *, max(last) over (
      partition by kind, person_id, concept_id order by first rows between unbounded preceding and 1 preceding) as latest
    from spans
  ), numbered as (
    select *, sum(if(latest is null or first - latest > 30, 1, 0)) over (
      partition by kind, person_id, concept_id order by first rows unbounded preceding) as number,
      greatest(last - if(latest is null or first - latest > 30, first, greatest(first, latest + 1)) + 1, 0) as covered
    from ordered
  )
  select kind, person_id, concept_id, number, min(first) as first, max(last) as last, count(*)::int as rows,
         (max(last) - min(first) + 1 - sum(covered))::int as gap_days
  from numbered group by kind, person_id, concept_id, number;

copy (
  select event_id('condition_era', concat_ws('|', person_id, concept_id, first)) as condition_era_id, person_id,
         concept_id as condition_concept_id, first as condition_era_start_date, last as condition_era_end_date,
         rows as condition_occurrence_count
  from era where kind = 'condition' order by person_id, condition_era_id
) to ':out/condition_era.parquet' (format parquet, compression zstd);

copy (
  select event_id('drug_era', concat_ws('|', person_id, concept_id, first)) as drug_era_id, person_id,
         concept_id as drug_concept_id, first as drug_era_start_date, last as drug_era_end_date,
         rows as drug_exposure_count, gap_days
  from era where kind = 'drug' order by person_id, drug_era_id
) to ':out/drug_era.parquet' (format parquet, compression zstd);
