-- WooCommerce customers for Replenit: an outbox table that Debezium captures, with what only wp_usermeta knows (names,
-- phone, locale, consent, role).
--
-- Why: WooCommerce has no consent column. Where a consent is asked for at the checkout or in the account, a plugin
-- stores it in wp_usermeta under a key of its own: put that key, and what it says for yes, in the two places marked
-- CHANGE, or no customer may be sent at all. Keyed by the WordPress user id, which is wp_wc_orders.customer_id.
-- Administrators and shop managers are left out. Same versions and privileges as woocommerce-products.sql.

CREATE TABLE IF NOT EXISTS replenit_customer_outbox (
  user_id     bigint(20) unsigned NOT NULL PRIMARY KEY,
  email       varchar(100) NOT NULL,
  username    varchar(60)  NOT NULL,
  first_name  varchar(255) NULL,
  last_name   varchar(255) NULL,
  -- E.164 only: what was typed without a country's code is NULL, for the API would refuse the customer
  phone       varchar(100) NULL,
  locale      varchar(20)  NULL, -- BCP 47: en_US is en-US here, de_DE_formal is de-DE; NULL: the site's language
  email_optin tinyint(1)   NOT NULL,
  gdpr_optin  tinyint(1)   NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;

SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION';
DROP PROCEDURE IF EXISTS replenit_refresh_customers;
DELIMITER //
CREATE PROCEDURE replenit_refresh_customers()
  MODIFIES SQL DATA
main: BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; DO RELEASE_LOCK('replenit_refresh_customers'); RESIGNAL; END;
  IF GET_LOCK('replenit_refresh_customers', 0) <> 1 THEN LEAVE main; END IF;
  DROP TEMPORARY TABLE IF EXISTS replenit_person;
  CREATE TEMPORARY TABLE replenit_person LIKE replenit_customer_outbox;
  INSERT INTO replenit_person
    SELECT u.ID, u.user_email, u.user_login,
           MAX(CASE WHEN m.meta_key = 'first_name' THEN NULLIF(m.meta_value, '') END),
           MAX(CASE WHEN m.meta_key = 'last_name' THEN NULLIF(m.meta_value, '') END),
           MAX(CASE WHEN m.meta_key = 'billing_phone'
                     AND REGEXP_REPLACE(m.meta_value, '[ ()./-]', '') REGEXP '^[+][1-9][0-9]{1,14}$'
                    THEN REGEXP_REPLACE(m.meta_value, '[ ()./-]', '') END),
           MAX(CASE WHEN m.meta_key = 'locale'
                    THEN SUBSTRING_INDEX(REPLACE(NULLIF(m.meta_value, ''), '_', '-'), '-', 2) END),
           MAX(CASE WHEN m.meta_key = 'newsletter_consent' AND m.meta_value = 'yes' THEN 1 ELSE 0 END), -- CHANGE
           MAX(CASE WHEN m.meta_key = 'newsletter_consent' AND m.meta_value = 'yes' THEN 1 ELSE 0 END)  -- CHANGE
      FROM wp_users u JOIN wp_usermeta m ON m.user_id = u.ID
     GROUP BY u.ID, u.user_email, u.user_login
    HAVING MAX(m.meta_key = 'wp_capabilities' AND m.meta_value LIKE '%"customer"%') = 1;
  START TRANSACTION;
  INSERT INTO replenit_customer_outbox
    SELECT n.* FROM replenit_person n LEFT JOIN replenit_customer_outbox b ON b.user_id = n.user_id
     WHERE b.user_id IS NULL
        OR NOT (BINARY b.email <=> BINARY n.email AND BINARY b.username <=> BINARY n.username
           AND BINARY b.first_name <=> BINARY n.first_name AND BINARY b.last_name <=> BINARY n.last_name
           AND BINARY b.phone <=> BINARY n.phone AND BINARY b.locale <=> BINARY n.locale
           AND b.email_optin = n.email_optin AND b.gdpr_optin = n.gdpr_optin)
    ON DUPLICATE KEY UPDATE email = VALUES(email), username = VALUES(username), first_name = VALUES(first_name),
      last_name = VALUES(last_name), phone = VALUES(phone), locale = VALUES(locale), email_optin = VALUES(email_optin),
      gdpr_optin = VALUES(gdpr_optin);
  IF EXISTS (SELECT 1 FROM replenit_person) THEN -- an import under way: nobody at all is no reason to delete everybody
    DELETE b FROM replenit_customer_outbox b LEFT JOIN replenit_person n ON n.user_id = b.user_id
        WHERE n.user_id IS NULL;
  END IF;
  COMMIT;
  DROP TEMPORARY TABLE IF EXISTS replenit_person;
  DO RELEASE_LOCK('replenit_refresh_customers');
END//
DELIMITER ;
CALL replenit_refresh_customers();
CREATE EVENT IF NOT EXISTS replenit_refresh_customers ON SCHEDULE EVERY 1 MINUTE DO CALL replenit_refresh_customers();

-- To remove all of it:
-- DROP EVENT IF EXISTS replenit_refresh_customers;
-- DROP PROCEDURE IF EXISTS replenit_refresh_customers;
-- DROP TABLE IF EXISTS replenit_customer_outbox;
